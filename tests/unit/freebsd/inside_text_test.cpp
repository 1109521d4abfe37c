#include "core/kernel/freebsd/pure/inside_text.h"

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;

namespace {

InsideView view() {
    return {.jid = 5,
            .links = {{.index = 0,
                       .ends = 1,
                       .name = "vnet0",
                       .up = true,
                       .mtu = 1500,
                       .mac = "02:11:22:33:44:55",
                       .addresses = {*Prefix::parse("10.213.0.2/24"), *Prefix::parse("fd00::2/64")},
                       .gateways = {*IpAddress::parse("10.213.0.1"), *IpAddress::parse("fd00::1")}},
                      {.index = 2, .ends = 2, .name = {}, .mtu = 9000, .addresses = {}, .gateways = {}}}};
}

}  // namespace

TEST_CASE("what a jail looks like from inside is one line", "[freebsd]") {
    CHECK(to_text(view()) ==
          "view jid=5 link=0 ends=1 name=vnet0 up=1 mtu=1500 mac=02:11:22:33:44:55 address=10.213.0.2/24 "
          "address=fd00::2/64 "
          "gateway=10.213.0.1 gateway=fd00::1 link=2 ends=2 up=0 mtu=9000\n");
    auto odd = view();
    odd.links[0].name = "a b\nlink=1";
    CHECK(parse_views(to_text(odd))->at(0).links[0].name == "a?b?link?1");
}

TEST_CASE("lines about jails are read back", "[freebsd]") {
    const InsideView bare{.jid = 7, .links = {}};
    auto listening = view();
    listening.links[0].advertised = true;
    const auto all = parse_views(to_text(view()) + to_text(bare) + to_text(listening));

    REQUIRE(all);
    CHECK(*all == std::vector{view(), bare, listening});
    CHECK(parse_views("")->empty());
}

TEST_CASE("lines that jaild-inside does not write are refused", "[freebsd]") {
    const auto* text =
        GENERATE("view jid=5", "view\n", "look jid=5\n", "view jid=0\n", "view jid=-5\n", "view jid=5 link=0 mtu=x\n",
                 "view jid=5 link=0 colour=red\n", "view jid=5 link=0 up=2\n", "view jid=5 link=0 address=10.0.0.1\n",
                 "view jid=5 link=0 gateway=web\n", "view jid=5 link=0  up=1\n", "view jid=5 up=1\n",
                 "view jid=5 link=8\n", "\n");
    CAPTURE(text);
    CHECK_FALSE(parse_views(text));
}

TEST_CASE("a link survives the way through arguments", "[freebsd]") {
    const InsideLink link{
        .index = 3,
        .name = "vnet3",
        .host_name = "jk3f9a12a",
        .mark = "jaild:k3f9a:jail:38",
        .host_mac = "02:11:22:33:44:55",
        .jail_mac = "02:11:22:33:44:56",
        .mtu = 9000,
        .host_end_outside = true,
        .addresses = {*Prefix::parse("fd00::2/64")},
        .gateways = {*IpAddress::parse("fd00::1")},
        .slaac = GENERATE(kernel::Learns::nothing, kernel::Learns::addresses, kernel::Learns::addresses_and_route),
        .dhcp = GENERATE(false, true)};
    const auto back = parse_link(to_arguments(link));

    REQUIRE(back);
    CHECK(*back == link);
}

TEST_CASE("a link that lacks its names is refused", "[freebsd]") {
    CHECK_FALSE(parse_link(std::vector<std::string>{"mtu=1500"}));
    CHECK_FALSE(parse_link(std::vector<std::string>{"host_name="}));
    CHECK_FALSE(parse_link(std::vector<std::string>{"nonsense"}));
    CHECK_FALSE(parse_link(std::vector<std::string>{"slaac=nothing"}));
    CHECK_FALSE(parse_link(std::vector<std::string>{"link=8"}));
    CHECK_FALSE(parse_link_index("8"));
    CHECK(parse_link_index("7") == 7U);
}

TEST_CASE("jails are named by number, name and path, whatever the path holds", "[freebsd]") {
    const std::vector<JailReference> jails{{.jid = 5, .name = "web", .path = "/a b=\n/root"},
                                           {.jid = 6, .name = "mail", .path = "/c"}};
    std::vector<std::string> arguments;
    for (const auto& jail : jails)
        for (auto& argument : to_arguments(jail)) arguments.push_back(std::move(argument));
    const auto back = parse_jails(arguments);

    REQUIRE(back);
    CHECK(*back == jails);
    arguments.pop_back();
    CHECK_FALSE(parse_jails(arguments));
    CHECK_FALSE(parse_jails(std::vector<std::string>{"5x", "web", "/"}));
    CHECK_FALSE(parse_jails(std::vector<std::string>{"0", "web", "/"}));
}

TEST_CASE("an error comes back with its code, its errno and a reason that is known", "[freebsd]") {
    const Error error{
        .code = Errc::conflict, .op = "jail_set", .sys = 17, .detail = "jail \"web\"\nexists", .reason = "name_in_use"};
    const auto text = to_text(error);
    const auto back = parse_error("view jid=5\n" + text);

    CHECK(text == "error conflict 17 name_in_use jail_set: jail \"web\" exists\n");
    CHECK(back.code == Errc::conflict);
    CHECK(back.sys == 17);
    CHECK(back.reason == "name_in_use");
    CHECK(back.detail == "jail_set: jail \"web\" exists");
}

TEST_CASE("an answer that is no error is one all the same", "[freebsd]") {
    const auto* text = GENERATE("", "\n", "error", "error conflict", "error conflict x - y", "killed");
    CAPTURE(text);
    CHECK(parse_error(text).code == Errc::kernel);
}

TEST_CASE("the number of a new jail is read strictly", "[freebsd]") {
    CHECK(*parse_jid_text(jid_text(12)) == 12);
    const auto* text = GENERATE("", "jid=\n", "jid=0\n", "jid=-1\n", "jid=5x\n", "id=5\n", "jid=5\njid=6\n");
    CAPTURE(text);
    CHECK_FALSE(parse_jid_text(text));
}
