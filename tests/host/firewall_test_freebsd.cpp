#include <algorithm>

#include "core/kernel/freebsd/firewall.h"
#include "core/kernel/names.h"
#include "tests/host/net_probe.h"
#include "tests/host/test_host.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::test;

namespace {

/// How long a packet that is dropped is waited for; the tests see first that one that is not comes through.
constexpr std::chrono::milliseconds kWithoutAnswer{1'000};

IpAddress ip_of(const std::string& text) {
    return value_of(IpAddress::parse(text));
}

/// Two jails on one network and one on another, made by hand: bridges, pairs and vnet jails, and no daemon.
struct PfFixture {
    TestHost host;
    FreeBsdFirewall firewall{host.options()};
    Undo undo;
    std::vector<JailRules> jails;

    PfFixture() {
        host.filter_bridges();
        set("net.link.bridge.pfil_local_phys", "0");
        set("net.inet.ip.forwarding", "1");
        set("net.inet6.ip6.forwarding", "1");
        for (const std::int64_t id : {1, 2}) make_bridge(id);
        make_jail(1, 1, "5");
        make_jail(2, 1, "6");
        make_jail(3, 2, "7");
        for (const auto& rules : jails) value_of(firewall.apply(rules));
        run_or_fail(host.outside({"route", "-q", "add", "10.213.0.0/16", Cable::host4}));
        run_or_fail(host.outside({"route", "-q", "add", "-inet6", "fd21:3707::/32", Cable::host6}));
    }
    ~PfFixture() {
        for (const auto& rules : jails) value_of(firewall.remove(rules.jail));
        for (const std::int64_t id : {1, 2}) value_of(firewall.remove(NetworkId{id}));
    }

    static void set(const std::string& name, const std::string& value) { run_or_fail({"sysctl", name + "=" + value}); }
    [[nodiscard]] std::string name(std::size_t index) const {
        return host.instance().text() + "hand" + std::to_string(index);
    }
    [[nodiscard]] std::string address(std::size_t index, Family family) const {
        return jails[index].endpoints[0].addresses[family == Family::ipv4 ? 0 : 1].to_string();
    }
    static std::string host_address(Family family) { return family == Family::ipv4 ? Cable::host4 : Cable::host6; }

    /// From one of them, or from the outside, to another: with an answer or without.
    bool reaches(const std::string& from, std::size_t to, Family family) {
        auto listener = value_of(Listener::open(name(to), address(to, family)));
        return connect_from(from, address(to, family), listener.port(), kWithoutAnswer).has_value();
    }
    /// The same by the host's port 8080; who the jail sees.
    Result<IpAddress> seen_by(const std::string& from, std::size_t to, Family family, const std::string& at) {
        auto listener = value_of(Listener::open(name(to), address(to, family)));
        jails[to].publish = {{.host_port = {8080, 8080}, .jail_port = {listener.port(), listener.port()}}};
        if (!jails[to].ingress) jails[to].ingress = Filter{};
        value_of(firewall.apply(jails[to]));
        const auto connection = connect_from(from, at, 8080, kWithoutAnswer);
        if (!connection) return std::unexpected(connection.error());
        return listener.accept();
    }

private:
    void make_bridge(std::int64_t id) {
        const auto bridge = bridge_name(host.instance(), NetworkId{id});
        auto made = run_or_fail({"ifconfig", "bridge", "create"});
        made.pop_back();
        run_or_fail({"ifconfig", made, "name", bridge});
        undo.add({"ifconfig", bridge, "destroy"});
        const auto number = std::to_string(id);
        run_or_fail({"ifconfig", bridge, "inet", "10.213." + number + ".1/24", "up"});
        run_or_fail({"ifconfig", bridge, "inet6", "fd21:3707:" + number + "::1/64", "no_dad"});
        value_of(firewall.apply({.id = NetworkId{id},
                                 .name = value_of(model::Name::parse("n" + number)),
                                 .ipv4 = value_of(Prefix::parse("10.213." + number + ".0/24")),
                                 .ipv6 = value_of(Prefix::parse("fd21:3707:" + number + "::/64"))}));
    }
    void make_jail(std::int64_t id, std::int64_t network, const std::string& last) {
        const auto jail = name(jails.size());
        run_or_fail({"jail", "-c", "name=" + jail, "path=/", "persist", "vnet"});
        undo.add({"jail", "-R", jail});
        auto pair = run_or_fail({"ifconfig", "epair", "create"});
        pair.pop_back();
        const auto inner = pair.substr(0, pair.size() - 1) + "b";
        const auto end = pair_name(host.instance(), {JailId{id}, 0}, PairEnd::host);
        run_or_fail({"ifconfig", pair, "name", end});
        undo.add({"ifconfig", end, "destroy"});
        run_or_fail({"ifconfig", inner, "vnet", jail});
        run_or_fail({"ifconfig", bridge_name(host.instance(), NetworkId{network}), "addm", end});
        run_or_fail({"ifconfig", end, "up"});
        const auto net4 = "10.213." + std::to_string(network) + ".";
        const auto net6 = "fd21:3707:" + std::to_string(network) + "::";
        const auto inside = [&](Argv argv) {
            argv.insert(argv.begin(), {"jexec", jail});
            run_or_fail(argv);
        };
        inside({"ifconfig", inner, "inet", net4 + last + "/24", "up"});
        inside({"ifconfig", inner, "inet6", "-ifdisabled", "no_dad"});
        inside({"ifconfig", inner, "inet6", net6 + last, "prefixlen", "64"});
        inside({"route", "-q", "add", "default", net4 + "1"});
        inside({"route", "-q", "add", "-inet6", "default", net6 + "1"});
        jails.push_back({.jail = JailId{id},
                         .endpoints = {{.network = NetworkId{network},
                                        .addresses = {ip_of(net4 + last), ip_of(net6 + last)},
                                        .gateways = {ip_of(net4 + "1"), ip_of(net6 + "1")}}},
                         .ingress = {},
                         .egress = {}});
    }
};

constexpr std::size_t kWeb = 0;
constexpr std::size_t kDb = 1;
constexpr std::size_t kFar = 2;  ///< on the other network

Group group_of(const PfFixture& fixture, const std::string& key, std::size_t member) {
    Group group{.key = key, .members = {}};
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const auto address = ip_of(fixture.address(member, family));
        group.members.push_back({.address = address, .length = address.bits()});
    }
    return group;
}

}  // namespace

TEST_CASE("pf: who reaches whom is the sender's egress and the receiver's ingress, bridged and routed", "[firewall]") {
    PfFixture fixture;
    // IPv6 with the host's packets looked at on the jail's port too, IPv4 without.
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    PfFixture::set("net.link.bridge.pfil_local_phys", family == Family::ipv6 ? "1" : "0");
    auto& web = fixture.jails[kWeb];
    auto& db = fixture.jails[kDb];
    const auto outside = fixture.host.outside_name();

    CHECK(fixture.reaches(fixture.name(kWeb), kDb, family));  // nobody asked for anything
    CHECK(fixture.reaches("", kDb, family));
    CHECK_FALSE(fixture.reaches(fixture.name(kFar), kDb, family));
    CHECK_FALSE(fixture.reaches(outside, kDb, family));

    db.groups = {group_of(fixture, "jail:far", kFar), group_of(fixture, "jail:web", kWeb)};
    db.ingress = Filter{.rules = {{.peer = "jail:web", .protocol = model::Protocol::tcp}}};
    value_of(fixture.firewall.apply(db));
    CHECK(fixture.reaches(fixture.name(kWeb), kDb, family));
    CHECK(fixture.reaches("", kDb, family));  // the host itself
    CHECK_FALSE(fixture.reaches(fixture.name(kFar), kDb, family));
    CHECK_FALSE(fixture.reaches(outside, kDb, family));

    db.ingress->rules[0].peer = "jail:far";
    value_of(fixture.firewall.apply(db));
    CHECK_FALSE(fixture.reaches(fixture.name(kWeb), kDb, family));
    CHECK(fixture.reaches(fixture.name(kFar), kDb, family));

    db.ingress = Filter{.fallback = model::Action::allow};
    value_of(fixture.firewall.apply(db));
    CHECK(fixture.reaches(outside, kDb, family));
    web.egress = Filter{};  // its own network too
    value_of(fixture.firewall.apply(web));
    CHECK_FALSE(fixture.reaches(fixture.name(kWeb), kDb, family));
    CHECK(fixture.reaches(fixture.name(kDb), kWeb, family));  // an answer is no beginning
}

TEST_CASE("pf: a group's members are replaced without loading rules, and connections go on", "[firewall]") {
    PfFixture fixture;
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    auto& db = fixture.jails[kDb];
    db.groups = {{.key = "label:tier=front", .members = {}}};
    db.ingress = Filter{.rules = {{.peer = "label:tier=front"}}};
    value_of(fixture.firewall.apply(db));
    CHECK_FALSE(fixture.reaches(fixture.name(kWeb), kDb, family));

    db.groups = {group_of(fixture, "label:tier=front", kWeb)};
    CHECK_FALSE(value_of(fixture.firewall.list_jails({db}))[0].complete);
    value_of(fixture.firewall.update({{.group = db.groups[0], .users = {db.jail, JailId{77}}}}));
    CHECK(value_of(fixture.firewall.list_jails({db}))[0].complete);
    auto listener = value_of(Listener::open(fixture.name(kDb), fixture.address(kDb, family)));
    const auto connection = value_of(connect_from(fixture.name(kWeb), fixture.address(kDb, family), listener.port()));
    CHECK(value_of(listener.accept()) == ip_of(fixture.address(kWeb, family)));

    db.groups[0].members.clear();
    value_of(fixture.firewall.update({{.group = db.groups[0], .users = {db.jail}}}));
    CHECK_FALSE(fixture.reaches(fixture.name(kWeb), kDb, family));
    value_of(fixture.firewall.apply(db));
    const auto port = std::to_string(listener.port());
    const auto state = fixture.address(kDb, family) + (family == Family::ipv4 ? ":" + port : "[" + port + "]");
    CHECK_THAT(run_or_fail({"pfctl", "-s", "states"}), Catch::Contains(state));
}

TEST_CASE("pf: a published port is reached from outside, from both networks, and by the jail itself", "[firewall]") {
    PfFixture fixture;
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    PfFixture::set("net.link.bridge.pfil_local_phys", family == Family::ipv4 ? "1" : "0");
    const auto at = PfFixture::host_address(family);
    const auto outside = family == Family::ipv4 ? Cable::outside4 : Cable::outside6;
    CHECK(value_of(fixture.seen_by(fixture.host.outside_name(), kDb, family, at)) == ip_of(outside));
    CHECK(value_of(fixture.seen_by(fixture.name(kWeb), kDb, family, at)) == ip_of(fixture.address(kWeb, family)));
    CHECK(value_of(fixture.seen_by(fixture.name(kFar), kDb, family, at)) == ip_of(fixture.address(kFar, family)));
    CHECK(fixture.seen_by(fixture.name(kDb), kDb, family, at));
    const auto gateway = fixture.jails[kDb].endpoints[0].gateways[family == Family::ipv4 ? 0 : 1].to_string();
    CHECK(fixture.seen_by(fixture.name(kWeb), kDb, family, gateway));

    fixture.jails[kDb].ingress->rules = {
        {.peer = value_of(Prefix::parse(outside + std::string(family == Family::ipv4 ? "/32" : "/128"))),
         .action = model::Action::deny}};
    CHECK_FALSE(fixture.seen_by(fixture.host.outside_name(), kDb, family, at));
    CHECK(fixture.seen_by(fixture.name(kWeb), kDb, family, at));
}

TEST_CASE("pf: what is loaded of a jail is seen, counted and repaired", "[firewall]") {
    PfFixture fixture;
    auto& db = fixture.jails[kDb];
    db.ingress = Filter{.rules = {{.peer = {}, .protocol = model::Protocol::tcp}}};
    value_of(fixture.firewall.apply(db));
    const auto observed = value_of(fixture.firewall.list_jails(fixture.jails));
    REQUIRE(observed.size() == 3);
    for (const auto& one : observed) {
        INFO(one.jail.value);
        CHECK((one.loaded && one.complete));
    }
    REQUIRE(fixture.reaches(fixture.name(kWeb), kDb, Family::ipv4));
    const auto loaded = value_of(fixture.firewall.loaded(db));
    CHECK_THAT(loaded.text, Catch::Contains("keep state"));
    REQUIRE(loaded.counts.size() == 2);
    CHECK(loaded.counts[0].packets > 0);
    CHECK(loaded.counts[0].bytes > 0);
    CHECK(loaded.counts[1].packets == 0);

    const auto anchor = jail_anchor(fixture.host.instance(), db.jail);
    const auto seen_and_repaired = [&](const Argv& stray, const std::string& input) {
        run_or_fail(stray, {.input = input});
        CHECK_FALSE(value_of(fixture.firewall.list_jails({db}))[0].complete);
        value_of(fixture.firewall.apply(db));
        CHECK(value_of(fixture.firewall.list_jails({db}))[0].complete);
    };
    seen_and_repaired({"pfctl", "-a", anchor, "-F", "rules"}, "");
    seen_and_repaired({"pfctl", "-a", anchor, "-f", "-"}, "pass all\n");
    seen_and_repaired({"pfctl", "-a", anchor, "-t", "own0", "-T", "replace", "192.0.2.1"}, "");

    value_of(fixture.firewall.remove(db.jail));
    CHECK_FALSE(value_of(fixture.firewall.list_jails({db}))[0].loaded);
    value_of(fixture.firewall.remove(db.jail));
    FreeBsdFirewall next(fixture.host.options());
    CHECK(value_of(next.list_jails({fixture.jails[kWeb]})).size() == 2);  // the other one's are seen too
}

TEST_CASE("pf: a jail cannot borrow its neighbour's address", "[firewall]") {
    PfFixture fixture;
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    // Nobody else answers for it.
    const std::string borrowed = family == Family::ipv4 ? "10.213.1.77" : "fd21:3707:1::77";
    auto interface = run_or_fail({"jexec", fixture.name(kWeb), "ifconfig", "-l"});
    interface = interface.substr(interface.find("epair"));
    interface = interface.substr(0, interface.find_first_of(" \n"));
    if (family == Family::ipv4)
        run_or_fail({"jexec", fixture.name(kWeb), "ifconfig", interface, "inet", borrowed + "/32", "alias"});
    else
        run_or_fail({"jexec", fixture.name(kWeb), "ifconfig", interface, "inet6", borrowed + "/128", "alias"});
    const auto target = fixture.address(kDb, family);
    auto listener = value_of(Listener::open(fixture.name(kDb), target));
    CHECK(connect_from(fixture.name(kWeb), target, listener.port(), kWithoutAnswer, fixture.address(kWeb, family)));
    CHECK_FALSE(connect_from(fixture.name(kWeb), target, listener.port(), kWithoutAnswer, borrowed));

    PfFixture::set("net.link.bridge.pfil_local_phys", "1");
    const std::string gateway = fixture.jails[kWeb].endpoints[0].gateways[family == Family::ipv4 ? 0 : 1].to_string();
    auto at_host = value_of(Listener::open("", gateway));
    CHECK(connect_from(fixture.name(kWeb), gateway, at_host.port(), kWithoutAnswer, fixture.address(kWeb, family)));
    CHECK_FALSE(connect_from(fixture.name(kWeb), gateway, at_host.port(), kWithoutAnswer, borrowed));
}

TEST_CASE("pf: without pfil_member no jail's rules are promised, with it the host's ports are known", "[firewall]") {
    PfFixture fixture;
    value_of(fixture.firewall.enforceable());
    PfFixture::set("net.link.bridge.pfil_member", "0");
    const auto refused = error_of(fixture.firewall.enforceable());
    CHECK(refused.reason == "firewall_not_enforceable");
    CHECK_THAT(refused.remedy, Catch::Contains("sysctl net.link.bridge.pfil_member=1"));

    auto listener = value_of(Listener::open("", Cable::host4));
    const model::PortRange port{listener.port(), listener.port()};
    const auto who = value_of(fixture.firewall.listener({.host_port = port, .jail_port = port}));
    REQUIRE(who);
    CHECK_THAT(*who, Catch::Contains("(pid "));
    CHECK_FALSE(value_of(fixture.firewall.listener(
        {.host_port = port, .jail_port = port, .protocol = model::Protocol::udp, .host_address = {}})));
}
