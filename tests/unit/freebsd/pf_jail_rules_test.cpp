#include "core/kernel/freebsd/pure/pf_jail_rules.h"

#include <algorithm>
#include <random>

#include "core/kernel/names.h"
#include "tests/instance.h"
#include "tests/results.h"
#include "tests/unit/freebsd/pf_interpreter.h"

namespace jaild::test::pf_jail_rules_test {

using namespace jaild;
using namespace jaild::kernel;
using jaild::test::instance;
using jaild::test::value_of;
namespace pf = jaild::kernel::freebsd::pf;
namespace pf_text = jaild::test::pf_text;

namespace {

using model::Action;
using model::Protocol;

IpAddress ip(const std::string& text) {
    return value_of(IpAddress::parse(text));
}
Prefix prefix(const std::string& text) {
    return value_of(Prefix::parse(text));
}

Endpoint on_network(std::int64_t network, const std::string& host) {
    const auto id = std::to_string(network);
    return {.network = NetworkId{network},
            .addresses = {ip("10.213." + id + "." + host), ip("fd12:" + id + "::" + host)},
            .gateways = {ip("10.213." + id + ".1"), ip("fd12:" + id + "::1")}};
}

JailRules jail(std::int64_t id, std::int64_t network, const std::string& host) {
    return {.jail = JailId{id}, .endpoints = {on_network(network, host)}, .ingress = {}, .egress = {}};
}

JailRules web() {
    auto rules = jail(5, 1, "5");
    rules.groups = {{.key = "jail:db", .members = {}},
                    {.key = "label:tier=front", .members = {prefix("10.213.1.7/32"), prefix("fd12:1::7/128")}}};
    rules.ingress =
        Filter{.rules = {{.peer = "label:tier=front", .ports = {{53, 53}}},
                         {.peer = prefix("192.0.2.0/24"), .protocol = Protocol::icmp, .action = Action::deny},
                         {.peer = {}, .protocol = Protocol::icmp}}};
    rules.egress =
        Filter{.rules = {{.peer = "jail:db", .protocol = Protocol::tcp, .ports = {{5432, 5432}, {6000, 6009}}}},
               .fallback = Action::allow};
    rules.publish = {{.host_port = {8080, 8080}, .jail_port = {80, 80}},
                     {.host_port = {9000, 9010},
                      .jail_port = {5000, 5010},
                      .protocol = Protocol::udp,
                      .host_address = ip("2001:db8::2")}};
    return rules;
}

/// As a person reads it: labels are checked by themselves.
std::string without_labels(const std::string& text) {
    std::string plain;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) plain += line.substr(0, line.find(" label ")) + "\n";
    return plain;
}

std::string text_of(const JailRules& rules, const std::vector<std::string>& interfaces = {"em0", "jk3f9a1n"}) {
    return without_labels(pf::anchor_text(pf::jail_anchor_rules(instance(), rules, interfaces)));
}

}  // namespace

TEST_CASE("the anchor of a jail that asks for nothing guards its addresses and keeps states", "[freebsd][pf]") {
    CHECK(text_of(jail(5, 1, "5")) == R"(table <own0> { 10.213.1.5 fd12:1::5 }
table <source0> { 10.213.1.5 fd12:1::5 fe80::/10 }
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from :: to ff00::/8 icmp6-type neighbrsol no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from :: to ff00::/8 icmp6-type 143 no state
block drop in quick on jk3f9a5a inet from ! <source0> to any
block drop in quick on jk3f9a5a inet6 from ! <source0> to any
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type routersol no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type neighbrsol no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type neighbradv no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type listenrep no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type listendone no state
pass in quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type 143 no state
pass out quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type routeradv no state
pass out quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type neighbrsol no state
pass out quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type neighbradv no state
pass out quick on jk3f9a5a inet6 proto ipv6-icmp from any to any icmp6-type listqry no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type routersol no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type neighbrsol no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type neighbradv no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type listenrep no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type listendone no state
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from <own0> to any icmp6-type 143 no state
pass out quick on jk3f9a1n inet6 proto ipv6-icmp from any to <own0> icmp6-type routeradv no state
pass out quick on jk3f9a1n inet6 proto ipv6-icmp from any to <own0> icmp6-type neighbrsol no state
pass out quick on jk3f9a1n inet6 proto ipv6-icmp from any to <own0> icmp6-type neighbradv no state
pass out quick on jk3f9a1n inet6 proto ipv6-icmp from any to <own0> icmp6-type listqry no state
pass in quick on jk3f9a5a from any to (self) no state
pass in on jk3f9a5a from any to any flags S/SA keep state
pass out quick on jk3f9a1n from (self) to <own0> flags S/SA keep state
pass out quick on jk3f9a1n proto tcp from (self) to <own0> no state
pass out on jk3f9a5a from any to any flags S/SA keep state
)");
}

TEST_CASE("the anchor of a jail with rules and published ports, line by line", "[freebsd][pf]") {
    const auto text = text_of(web());
    const auto begin = text.find("nat on");
    REQUIRE(begin != std::string::npos);
    CHECK(text.substr(0, begin) == R"(table <jail_db_9e727d4b1581bbd7> {  }
table <label_tier_fro_f0046b41e553564b> { 10.213.1.7 fd12:1::7 }
table <own0> { 10.213.1.5 fd12:1::5 }
table <source0> { 10.213.1.5 fd12:1::5 fe80::/10 }
)");
    const auto filter = text.find("pass in quick on");
    CHECK(text.substr(begin, filter - begin) == R"(nat on jk3f9a1n inet from 10.213.1.5 to 10.213.1.5 -> 10.213.1.1
nat on jk3f9a1n inet6 from fd12:1::5 to fd12:1::5 -> fd12:1::1
rdr on em0 inet proto tcp from any to (self) port = 8080 -> 10.213.1.5 port 80
rdr on jk3f9a1n inet proto tcp from any to (self) port = 8080 -> 10.213.1.5 port 80
rdr on em0 inet6 proto tcp from any to (self) port = 8080 -> fd12:1::5 port 80
rdr on jk3f9a1n inet6 proto tcp from any to (self) port = 8080 -> fd12:1::5 port 80
rdr on em0 inet6 proto udp from any to 2001:db8::2 port 9000:9010 -> fd12:1::5 port 5000:5010
rdr on jk3f9a1n inet6 proto udp from any to 2001:db8::2 port 9000:9010 -> fd12:1::5 port 5000:5010
)");
    const auto egress = text.find("pass in quick on jk3f9a5a from any to (self)");
    CHECK(text.substr(egress) == R"(pass in quick on jk3f9a5a from any to (self) no state
pass in quick on jk3f9a1n from <own0> to <own0> flags S/SA keep state
pass in quick on jk3f9a5a proto tcp from any to <jail_db_9e727d4b1581bbd7> port = 5432 flags S/SA keep state
pass in quick on jk3f9a5a proto tcp from any to <jail_db_9e727d4b1581bbd7> port 6000:6009 flags S/SA keep state
pass in quick on jk3f9a5a from any to any flags S/SA keep state
pass in quick on jk3f9a1n proto tcp from <own0> to <jail_db_9e727d4b1581bbd7> port = 5432 flags S/SA keep state
pass in quick on jk3f9a1n proto tcp from <own0> to <jail_db_9e727d4b1581bbd7> port 6000:6009 flags S/SA keep state
pass in quick on jk3f9a1n from <own0> to any flags S/SA keep state
pass out quick on jk3f9a1n from (self) to <own0> flags S/SA keep state
pass out quick on jk3f9a1n proto tcp from (self) to <own0> no state
pass out quick on jk3f9a5a proto tcp from <label_tier_fro_f0046b41e553564b> to any port = 53 flags S/SA keep state
pass out quick on jk3f9a5a proto udp from <label_tier_fro_f0046b41e553564b> to any port = 53 keep state
block drop out quick on jk3f9a5a inet proto icmp from 192.0.2.0/24 to any
pass out quick on jk3f9a5a inet proto icmp from any to any keep state
pass out quick on jk3f9a5a inet6 proto ipv6-icmp from any to any keep state
pass out quick on jk3f9a5a proto tcp from any to any port = 80 flags S/SA keep state
pass out quick on jk3f9a5a inet6 proto udp from any to any port 5000:5010 keep state
block drop out quick on jk3f9a5a from any to any
pass out quick on jk3f9a1n proto tcp from <label_tier_fro_f0046b41e553564b> to <own0> port = 53 flags S/SA keep state
pass out quick on jk3f9a1n proto udp from <label_tier_fro_f0046b41e553564b> to <own0> port = 53 keep state
block drop out quick on jk3f9a1n inet proto icmp from 192.0.2.0/24 to <own0>
pass out quick on jk3f9a1n inet proto icmp from any to <own0> keep state
pass out quick on jk3f9a1n inet6 proto ipv6-icmp from any to <own0> keep state
pass out quick on jk3f9a1n proto tcp from any to <own0> port = 80 flags S/SA keep state
pass out quick on jk3f9a1n inet6 proto udp from any to <own0> port 5000:5010 keep state
block drop out quick on jk3f9a1n from any to <own0>
pass in on em0 from any to <own0> flags S/SA keep state
)");
}

TEST_CASE("an interface that DHCP serves has no guard, and its way to a server", "[freebsd][pf]") {
    auto rules = jail(5, 1, "5");
    rules.endpoints[0].addresses.clear();
    rules.endpoints[0].dynamic = true;
    rules.egress = Filter{};
    const auto text = text_of(rules);
    CHECK(text.starts_with(R"(table <own0> {  }
pass in quick on jk3f9a5a inet proto udp from any port = 68 to any port = 67 no state
pass out quick on jk3f9a5a inet proto udp from any port = 67 to any port = 68 no state
pass in quick on jk3f9a5a inet6 proto udp from any port = 546 to any port = 547 no state
pass out quick on jk3f9a5a inet6 proto udp from any port = 547 to any port = 546 no state
)"));
    CHECK(text.contains("\nblock drop in quick on jk3f9a5a from any to any\n"));
    CHECK_FALSE(text.contains("source0"));
}

TEST_CASE("each interface of a jail has rules of its own", "[freebsd][pf]") {
    auto rules = jail(5, 1, "5");
    rules.endpoints.push_back(on_network(2, "5"));
    rules.endpoints[1].index = 1;
    rules.ingress = Filter{};
    const auto text = text_of(rules);
    CHECK(text.contains("\nblock drop in quick on jk3f9a5a inet from ! <source0> to any\n"));
    CHECK(text.contains("\nblock drop in quick on jk3f9a5c inet from ! <source1> to any\n"));
    CHECK(text.contains("\nblock drop out quick on jk3f9a2n from any to <own1>\n"));
}

TEST_CASE("a published port of a family that the jail has no address of leads nowhere", "[freebsd][pf]") {
    auto rules = web();
    std::erase_if(rules.endpoints[0].addresses, [](const auto& one) { return one.family == Family::ipv6; });
    const auto text = text_of(rules, {"em0"});
    CHECK(text.contains("rdr on em0 inet proto tcp"));
    CHECK_FALSE(text.contains("rdr on em0 inet6"));
    CHECK_FALSE(text_of(rules, {}).contains("rdr"));
    CHECK_FALSE(text_of(rules, {"em0 all", "{em0", "lo0\npass"}).contains("rdr"));
}

TEST_CASE("every filter rule names one of the jail's places, a direction, and a label that pf can hold",
          "[freebsd][pf]") {
    auto rules = web();
    rules.jail = JailId{2'821'109'907'455};
    rules.endpoints[0].network = NetworkId{2'821'109'907'455};
    rules.ingress->rules.assign(model::PolicyLimits::rules, {.peer = "label:tier=front"});
    for (auto& rule : rules.ingress->rules)
        rule.ports.assign(model::PolicyLimits::ports, {.first = 50'000, .last = 60'000});
    const auto anchor = pf::jail_anchor_rules(instance(), rules, {"em0"});
    const auto end = " quick on " + pair_name(instance(), {rules.jail, 0}, PairEnd::host) + " ";
    const auto bridge = " quick on " + bridge_name(instance(), rules.endpoints[0].network) + " ";
    CHECK(anchor.rules.filter.size() > model::PolicyLimits::rules * model::PolicyLimits::ports * 2);
    for (const auto& rule : anchor.rules.filter) {
        const bool entrance = rule.starts_with("pass in on em0 ") && rule.contains(" to <own0> flags ");
        const bool scoped = entrance || rule.contains(" in" + end) || rule.contains(" out" + end) ||
                            rule.contains(" in" + bridge) || rule.contains(" out" + bridge);
        const auto begin = rule.find(" label \"") + 8;
        const bool held = rule.size() - 1 - begin < 64;  // PF_RULE_LABEL_SIZE with its NUL
        if (scoped && held) continue;
        FAIL(rule);
    }
    for (const auto& [name, members] : anchor.tables) CHECK(name.size() < 32);  // PF_TABLE_NAME_SIZE
    CHECK(jail_anchor(instance(), rules.jail).size() < 64);                     // pfctl(8) fails beyond
}

TEST_CASE("groups have tables of their own, whatever their keys are", "[freebsd][pf]") {
    CHECK(pf::group_table("label:a=b") != pf::group_table("label:a-b"));
    for (const std::string key : {"jail:web", "network:lan", "label:\"; pass all #", "label:ÄÖ", ""}) {
        const auto name = pf::group_table(key);
        INFO(key << " " << name);
        CHECK(name.size() < 32);
        CHECK(std::ranges::all_of(name,
                                  [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_'; }));
    }
    CHECK(pf::table_members(
              {prefix("10.0.0.0/8"), prefix("10.213.0.5/32"), prefix("fd12::/64"), prefix("fd12::7/128")}) ==
          std::vector<std::string>{"10.0.0.0/8", "10.213.0.5", "fd12::/64", "fd12::7"});
}

TEST_CASE("only this installation's jails are found among the anchors", "[freebsd][pf]") {
    CHECK(pf::jails(instance(),
                    "  jaild\n  jaild/k3f9a-j1\n  jaild/k3f9a-j12\n  jaild/k3f9a-n7\n  jaild/other-j3\n"
                    "  jaild/k3f9a-j04\n  jaild/k3f9a-j5/sub\n  k3f9a-j6\n") == std::vector{JailId{1}, JailId{12}});
}

TEST_CASE("the rules of all anchors are read from one answer", "[freebsd][pf]") {
    const auto found = pf::by_anchor(R"(scrub in all fragment reassemble
anchor "jaild/*" all {
  anchor "k3f9a-j1" all {
    block drop in quick on jk3f9a1a inet from ! <source0> to any label "- 1/2 00"
    pass out on jk3f9a1a all flags S/SA keep state label "- 2/2 00"
  }
  anchor "k3f9a-n1" all {
    pass all no state
    anchor "deeper" all {
      block drop all
    }
  }
}
anchor "other" all {
  anchor "k3f9a-j2" all {
    pass all
  }
}
pass all flags S/SA keep state
)");
    CHECK(found.size() == 2);
    CHECK(found.at("jaild/k3f9a-j1") ==
          "block drop in quick on jk3f9a1a inet from ! <source0> to any label \"- 1/2 00\"\n"
          "pass out on jk3f9a1a all flags S/SA keep state label \"- 2/2 00\"\n");
    CHECK(found.at("jaild/k3f9a-n1") == "pass all no state\n");
}

TEST_CASE("what rules have counted is summed by the user's rule", "[freebsd][pf]") {
    const auto counts = pf::counts(web(), R"(block drop in quick on x inet all label "- 1/9 0123456789abcdef"
  [ Evaluations: 4         Packets: 100       Bytes: 100         States: 0     ]
pass out quick on x proto tcp all label "in:rule:0 2/9 0123456789abcdef"
  [ Evaluations: 4         Packets: 3         Bytes: 180         States: 0     ]
  [ Inserted: uid 0 pid 5744 State Creations: 2     ]
pass out quick on y proto tcp all label "in:rule:0 3/9 0123456789abcdef"
  [ Evaluations: 4         Packets: 2         Bytes: 20          States: 0     ]
pass out quick on y proto tcp all label "in:published:1 4/9 0123456789abcdef"
  [ Evaluations: 4         Packets: 7         Bytes: 70          States: 0     ]
block drop in quick on y all label "out:default:0 5/9 0123456789abcdef"
  [ Evaluations: 4         Packets: 1         Bytes: 10          States: 0     ]
)");
    using enum RuleCount::Place;
    CHECK(counts == std::vector<RuleCount>{{true, rule, 0, 5, 200},
                                           {true, rule, 1, 0, 0},
                                           {true, rule, 2, 0, 0},
                                           {true, published, 0, 0, 0},
                                           {true, published, 1, 7, 70},
                                           {true, fallback, 0, 0, 0},
                                           {false, rule, 0, 0, 0},
                                           {false, fallback, 0, 1, 10}});
}

}  // namespace jaild::test::pf_jail_rules_test
