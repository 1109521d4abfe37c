#include <algorithm>

#include "tests/catch.h"
#include "tests/simulation/scene/expectation.h"
#include "tests/simulation/systematic/scenario.h"

using namespace jaild;
using namespace jaild::simulation;
using kernel::memory::Hand;
using kernel::memory::Remains;

namespace {

struct Drift {
    const char* name;
    std::function<bool(Hand&)> disturb;
};

constexpr NetworkId kDefaultNetwork{1};

const std::vector<Drift>& drifts() {
    static const std::vector<Drift> all{
        {"the jail is removed", [](Hand& hand) { return hand.kill_jail(kFirst, Remains::nothing); }},
        {"its processes are killed", [](Hand& hand) { return hand.kill_jail(kFirst, Remains::corpse); }},
        {"it is removed and lingers", [](Hand& hand) { return hand.kill_jail(kFirst, Remains::dying); }},
        {"its shim is killed", [](Hand& hand) { return hand.kill_shim(kFirst); }},
        {"its link is destroyed", [](Hand& hand) { return hand.delete_link(kFirst); }},
        {"its link is down", [](Hand& hand) { return hand.set_link_down(kFirst); }},
        {"an address is deleted", [](Hand& hand) { return hand.delete_address(kFirst); }},
        {"a route is deleted", [](Hand& hand) { return hand.delete_route(kFirst); }},
        {"its link leaves the bridge", [](Hand& hand) { return hand.leave_bridge(kFirst); }},
        {"its link is kept from others", [](Hand& hand) { return hand.flip_isolation(kFirst); }},
        {"a directory is unmounted", [](Hand& hand) { return hand.unmount(kFirst, "root/usr"); }},
        {"devfs is unmounted", [](Hand& hand) { return hand.unmount(kFirst, "root/dev"); }},
        {"something writable covers a read-only mount",
         [](Hand& hand) { return hand.mount_extra(kFirst, "root/usr"); }},
        {"the rules are flushed", [](Hand& hand) { return hand.flush_rules(kDefaultNetwork); }},
        {"a rule is deleted", [](Hand& hand) { return hand.spoil_rules(kDefaultNetwork); }},
        {"its rules are flushed", [](Hand& hand) { return hand.flush_jail_rules(kFirst); }},
        {"one of its rules is deleted", [](Hand& hand) { return hand.spoil_jail_rules(kFirst); }},
        {"its groups are emptied", [](Hand& hand) { return hand.empty_groups(kFirst); }},
        {"the bridge is destroyed", [](Hand& hand) { return hand.delete_bridge(kDefaultNetwork); }},
        {"the bridge is down", [](Hand& hand) { return hand.set_bridge_down(kDefaultNetwork); }},
        {"the hostname is changed", [](Hand& hand) { return hand.set_hostname(kFirst, "stranger"); }},
        {"a limit is removed", [](Hand& hand) { return hand.remove_limits("web"); }},
        {"a limit is added",
         [](Hand& hand) {
             return hand.add_limit("web", {.resource = "nthr", .limit = {.amount = 7, .action = "log"}});
         }},
        {"a parameter is changed",
         [](Hand& hand) {
             return hand.set_parameter(kFirst, {"allow.raw_sockets", false});
         }},
        {"forwarding is lowered", [](Hand& hand) { return hand.lower_forwarding(); }},
    };
    return all;
}

/// Nothing of it ends: what was killed is not run again, and is told of.
model::NamedSpec without_programs(model::NamedSpec named) {
    named.spec.command.clear();
    named.spec.exec.start.clear();
    return named;
}

std::unique_ptr<Scene> settled() {
    auto scene = std::make_unique<Scene>();
    auto named = without_programs(full_jail());
    (void)expect(scene->create(named));
    REQUIRE(scene->settle());
    return scene;
}

std::size_t repairs(Scene& scene) {
    const auto events = scene.events();
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const model::Event& event) { return event.type == "drift.repaired"; }));
}

}  // namespace

TEST_CASE("what a hand disturbs comes back, and an event says so", "[simulation][drift]") {
    for (const auto& drift : drifts()) {
        INFO(drift.name);
        auto scene = settled();
        const auto before = scene->kernel().describe();
        REQUIRE(drift.disturb(scene->kernel().hand()));
        CHECK(scene->settle());
        CHECK(scene->kernel().describe() == before);
        CHECK(problems(*scene) == std::vector<std::string>{});
        CHECK(repairs(*scene) > 0);
    }
}

TEST_CASE("an address that a hand takes from the host's interface, or from the jail, comes back",
          "[simulation][drift][alias]") {
    Scene scene;
    auto named = without_programs(jail_on_aliases());
    (void)expect(scene.create(named));
    REQUIRE(scene.settle());
    const auto before = scene.kernel().describe();
    const bool by_interface = GENERATE(true, false);
    if (by_interface)
        REQUIRE(scene.kernel().hand().delete_alias(kFirst));
    else
        REQUIRE(scene.kernel().hand().set_parameter(kFirst, {"ip4.addr", std::vector<IpAddress>{}}));
    CHECK(scene.settle());
    CHECK(scene.kernel().describe() == before);
    CHECK(problems(scene) == std::vector<std::string>{});
    CHECK(repairs(scene) == 1);
}

TEST_CASE("a host that was started anew gives its jails their addresses again", "[simulation][alias][reboot]") {
    Scene scene;
    auto named = without_programs(jail_on_aliases());
    (void)expect(scene.create(named));
    REQUIRE(scene.settle());
    const auto before = scene.kernel().describe();
    scene.kill_daemon();
    scene.kernel().hand().reboot();
    CHECK(scene.settle());
    CHECK(scene.kernel().describe() == before);
    CHECK(problems(scene) == std::vector<std::string>{});
}

TEST_CASE("an address that the host has by itself after a start is not taken for ours", "[simulation][alias][reboot]") {
    Scene scene;
    (void)expect(scene.create(jail_on_aliases()));
    REQUIRE(scene.settle());
    scene.kill_daemon();
    auto& hand = scene.kernel().hand();
    hand.reboot();
    hand.add_address({.interface = "em0", .address = expect(Prefix::parse("192.0.2.10/24"))});
    const auto foreign = scene.kernel().state().foreign;
    CHECK(scene.settle());
    CHECK(scene.kernel().state().prisons.empty());
    CHECK(scene.last_error().contains("192.0.2.10 is an address of this host"));
    expect(scene.remove(kFirst));
    CHECK(scene.settle());
    CHECK(scene.jails().empty());
    CHECK(scene.kernel().state().foreign == foreign);
    CHECK(scene.kernel().state().host_addresses.empty());
}

TEST_CASE("an address goes from one jail to another without being on the host twice", "[simulation][alias]") {
    Scene scene;
    (void)expect(scene.create(jail_on_aliases("web")));
    REQUIRE(scene.settle());
    auto spec = scene.jail(kFirst)->spec;
    spec.network.interfaces = {on_interface("em0", {"192.0.2.12/32"})};
    expect(scene.update(kFirst, spec));
    const auto second = expect(scene.create(jail_on_aliases("db")));
    CHECK(scene.reconcile(second) == Round::failed);  // the first has it still
    CHECK(scene.settle());
    CHECK(problems(scene) == std::vector<std::string>{});
    CHECK(scene.kernel().state().host_addresses.size() == 4);
}

TEST_CASE("a settled jail is left alone: no drift, no step, no event", "[simulation][drift]") {
    auto scene = settled();
    const auto events = scene->events().size();
    const auto before = scene->kernel().describe();
    for (int round = 0; round < 5; ++round) CHECK(scene->round() == Round::done);
    CHECK(scene->kernel().describe() == before);
    CHECK(scene->events().size() == events);
}

TEST_CASE("losing the hint of what was applied does not touch a running jail", "[simulation][drift]") {
    auto scene = std::make_unique<Scene>();
    (void)expect(scene->create(full_jail()));
    REQUIRE(scene->settle());
    const auto jid = scene->kernel().state().prisons.front().jid;
    REQUIRE(scene->kernel().hand().delete_applied(kFirst));
    CHECK(scene->settle());
    CHECK(problems(*scene) == std::vector<std::string>{});
    REQUIRE(scene->kernel().state().prisons.size() == 1);
    CHECK(scene->kernel().state().prisons.front().jid == jid);
}

TEST_CASE("a daemon that is killed adopts what runs: nothing changes", "[simulation][adoption]") {
    auto scene = settled();
    const auto before = scene->kernel().describe();
    const auto jid = scene->kernel().state().prisons.front().jid;
    scene->kill_daemon();
    CHECK(scene->settle());
    CHECK(scene->kernel().describe() == before);
    CHECK(scene->kernel().state().prisons.front().jid == jid);
}

TEST_CASE("a name that somebody else's jail has is waited for", "[simulation]") {
    Scene scene;
    REQUIRE(scene.kernel().hand().take_name("web"));
    (void)expect(scene.create(full_jail()));
    for (int round = 0; round < 5; ++round) (void)scene.round();
    CHECK(scene.kernel().state().prisons.empty());
    REQUIRE(scene.kernel().hand().give_name_back("web"));
    CHECK(scene.settle());
    CHECK(problems(scene) == std::vector<std::string>{});
}

TEST_CASE("an address that was given away is not used twice, also right after a start of the daemon", "[simulation]") {
    Scene scene;
    (void)expect(scene.create(full_jail("web")));
    REQUIRE(scene.settle());
    auto spec = scene.jail(kFirst)->spec;
    spec.network = {.mode = model::NetworkMode::none, .interfaces = {}, .nameservers = {}, .search = {}};
    expect(scene.update(kFirst, spec));  // waits for a restart: it runs on with its address, which is free in the store
    const auto second = expect(scene.create(full_jail("db")));
    scene.kill_daemon();

    CHECK(scene.reconcile(second) == Round::failed);
    CHECK(scene.kernel().violations() == std::vector<std::string>{});
    expect(scene.restart(kFirst));
    CHECK(scene.settle());
    CHECK(problems(scene) == std::vector<std::string>{});
}

TEST_CASE("a restart runs the command again, whatever happened to the jail before and crashes in between",
          "[simulation]") {
    for (std::size_t point = 1; point <= 60; ++point) {
        INFO("crash after point " << point);
        Scene scene;
        (void)expect(scene.create(full_jail()));
        REQUIRE(scene.settle());
        REQUIRE(scene.kernel().hand().kill_shim(kFirst));
        scene.history(kFirst).disturbed = true;
        scene.kernel().faults().crash(point, kernel::memory::When::after);
        (void)scene.reconcile(kFirst);
        expect(scene.restart(kFirst));
        scene.kernel().faults().clear();
        scene.kernel().faults().crash(point, kernel::memory::When::after);
        (void)scene.reconcile(kFirst);
        CHECK(scene.settle());
        CHECK(problems(scene) == std::vector<std::string>{});
    }
}
