#include "core/kernel/freebsd/pure/jail_parameters.h"

#include <cstring>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel::freebsd;
using jaild::test::value_of;

namespace {

std::string bytes(int number) {
    std::string text(sizeof number, '\0');
    std::memcpy(text.data(), &number, sizeof number);
    return text;
}

EncodedParameter text(std::string_view name, std::string_view value) {
    return {std::string(name) + '\0', std::string(value) + '\0'};
}

EncodedParameter number(std::string_view name, int value) {
    return {std::string(name) + '\0', bytes(value)};
}

JailParameters web(model::NetworkMode mode) {
    return {.id = {12}, .name = *model::Name::parse("web"), .hostname = "web.example.org", .mode = mode};
}

}  // namespace

TEST_CASE("a new jail's iovecs are what jail_set(2) reads: names and strings with their NUL, integers as int",
          "[freebsd]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::vnet), "/var/db/jaild/jails/12/root"));

    CHECK(encoded == std::vector{text("name", "web"), text("path", "/var/db/jaild/jails/12/root"),
                                 text("host.hostname", "web.example.org"), number("enforce_statfs", 2),
                                 number("devfs_ruleset", 5), number("children.max", 0), number("vnet", 1)});
}

TEST_CASE("a jail without a link has a network stack of its own too, and no device of a network", "[freebsd]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::none), "/r"));

    CHECK(encoded.at(4) == number("devfs_ruleset", 4));
    CHECK(encoded.at(6) == number("vnet", 1));
}

TEST_CASE("a jail in the host's network stack inherits both families, and is no vnet", "[freebsd]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::inherit), "/r"));

    CHECK(encoded == std::vector{text("name", "web"), text("path", "/r"), text("host.hostname", "web.example.org"),
                                 number("enforce_statfs", 2), number("devfs_ruleset", 4), number("children.max", 0),
                                 number("ip4", 2), number("ip6", 2)});
}

TEST_CASE("a family that is taken from a jail in the host's network stack is not inherited", "[freebsd][alias]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::inherit), "/r", {{"ip6", 0}}));
    CHECK(encoded.at(6) == number("ip4", 2));
    CHECK(encoded.at(7) == number("ip6", 0));
    CHECK(encoded.size() == 8);
}

TEST_CASE("a jail on addresses of the host is told of them, and of nothing else of its network", "[freebsd][alias]") {
    const std::vector<IpAddress> four{*IpAddress::parse("192.0.2.10"), *IpAddress::parse("127.0.1.1")};
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::alias), "/r",
                                                    {{"ip4.addr", four}, {"ip6.addr", std::vector<IpAddress>{}}}));

    CHECK(encoded == std::vector<EncodedParameter>{
                         text("name", "web"),
                         text("path", "/r"),
                         text("host.hostname", "web.example.org"),
                         number("enforce_statfs", 2),
                         number("devfs_ruleset", 4),
                         number("children.max", 0),
                         {std::string("ip4.addr") + '\0', std::string("\xc0\0\x02\x0a\x7f\0\x01\x01", 8)},
                         {std::string("ip6.addr") + '\0', std::string()}});
}

TEST_CASE("a boolean has no value, and is off by its name", "[freebsd]") {
    const auto encoded = encode({{"persist", true}, {"persist", false}, {"allow.mount.nullfs", false}});

    CHECK(encoded == std::vector<EncodedParameter>{{std::string("persist") + '\0', std::nullopt},
                                                   {std::string("nopersist") + '\0', std::nullopt},
                                                   {std::string("allow.mount.nonullfs") + '\0', std::nullopt}});
}

TEST_CASE("an empty string is one NUL, not nothing", "[freebsd]") {
    CHECK(encode({{"host.domainname", ""}}).at(0).value == std::string(1, '\0'));
}

TEST_CASE("parameters survive the way through arguments of a program", "[freebsd]") {
    const Parameters all{{"persist", true},       {"allow.mount", false},     {"securelevel", -1},
                         {"enforce_statfs", 2},   {"host.hostname", "a=b:c"}, {"host.domainname", ""},
                         {"path", "/a b/\n/root"}};
    for (const auto& parameter : all) {
        CAPTURE(parameter.name);
        const auto back = parse_argument(to_argument(parameter));
        REQUIRE(back);
        CHECK(*back == parameter);
    }
}

TEST_CASE("an argument that is no parameter is refused", "[freebsd]") {
    const auto* argument = GENERATE("", "=s:x", "name", "name=", "name=s", "name=x:1", "vnet=i:", "vnet=i:1x",
                                    "vnet=i:99999999999", "persist=b:2", "persist=b:");
    CAPTURE(argument);
    CHECK_FALSE(parse_argument(argument));
}

TEST_CASE("numbers are as wide as the kernel's, and addresses are packed in network order", "[freebsd]") {
    using namespace std::string_literals;
    const auto value = [](const Parameter& parameter) { return encode({parameter}).at(0).value; };
    const auto four = [](const char* text) { return value_of(IpAddress::parse(text)); };

    CHECK(value({"securelevel", -1}) == "\xff\xff\xff\xff"s);
    CHECK(value({"x.quad", std::int64_t{-2}}) == "\xfe\xff\xff\xff\xff\xff\xff\xff"s);
    CHECK(value({"host.hostid", std::uint64_t{0x8877665544332211}}) == "\x11\x22\x33\x44\x55\x66\x77\x88"s);
    CHECK(value({"ip4.addr", std::vector{four("192.0.2.1"), four("198.51.100.7")}}) ==
          "\xc0\x00\x02\x01\xc6\x33\x64\x07"s);
    CHECK(value({"ip6.addr", std::vector{four("fd00::a:1")}}) ==
          "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x01"s);
    // No address at all is not the same as no parameter: it has a value, of no bytes.
    CHECK(value({"ip4.addr", std::vector<IpAddress>{}}) == ""s);
}

TEST_CASE("what a user chose comes in place of what jaild would choose, once each", "[freebsd]") {
    auto jail = web(model::NetworkMode::vnet);
    jail.devfs_ruleset = 10;
    const auto encoded = encode(creation_parameters(
        jail, "/r",
        {{"enforce_statfs", 1}, {"allow.raw_sockets", true}, {"allow.set_hostname", false}, {"children.max", 5}}));

    CHECK(encoded == std::vector<EncodedParameter>{text("name", "web"),
                                                   text("path", "/r"),
                                                   text("host.hostname", "web.example.org"),
                                                   number("enforce_statfs", 1),
                                                   number("devfs_ruleset", 10),
                                                   number("children.max", 5),
                                                   number("vnet", 1),
                                                   {std::string("allow.raw_sockets") + '\0', std::nullopt},
                                                   {std::string("allow.noset_hostname") + '\0', std::nullopt}});
}

TEST_CASE("long numbers and addresses survive the way through arguments too", "[freebsd]") {
    const Parameters all{
        {"x.quad", INT64_MIN},
        {"host.hostid", UINT64_MAX},
        {"ip4.addr", std::vector<IpAddress>{}},
        {"ip6.addr", std::vector{value_of(IpAddress::parse("::1")), value_of(IpAddress::parse("fd00::2"))}}};
    for (const auto& parameter : all) {
        CAPTURE(parameter.name, to_argument(parameter));
        CHECK(value_of(parse_argument(to_argument(parameter))) == parameter);
    }
    const auto* argument =
        GENERATE("x=q:", "x=Q:-1", "x=q:9223372036854775808", "x=a:,", "x=a:1.2.3.4,", "x=a:nowhere");
    CAPTURE(argument);
    CHECK_FALSE(parse_argument(argument));
}
