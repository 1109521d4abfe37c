#include <algorithm>

#include "core/kernel/names.h"
#include "tests/host/by_hand.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// The resync of jails, links and mounts comes every 5 s, that of the firewall every 30 s.
constexpr auto kSoon = std::chrono::seconds(10);
constexpr auto kSlow = std::chrono::seconds(40);

/// A host with running jails that something is about to happen to.
struct Disturbed {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    std::int64_t before = 0;

    explicit Disturbed(const std::vector<json>& specs) {
        daemon.start();
        for (const auto& spec : specs) client.create(spec);
        before = client.last_event();
    }

    [[nodiscard]] std::filesystem::path directory(const std::string& name) const {
        return host.state_directory() / "jails" / std::to_string(client.id(name).value);
    }
    /// The event names object and step.
    void expect_repair(const std::string& kind, const std::string& name, const std::string& step,
                       std::chrono::seconds deadline) const {
        std::vector<std::string> steps;
        const auto told = [&] {
            steps = client.repairs(before, kind, name);
            return std::ranges::find(steps, step) != steps.end();
        };
        const bool repaired = eventually(told, deadline);
        INFO(client.get("/v1/events?follow=false&after=" + std::to_string(before)));
        INFO(kind << ' ' << name << ": " << step);
        CHECK(repaired);
    }
    void expect_jail_repair(const std::string& name, const std::string& step) const {
        expect_repair("jail", name, step, kSoon);
        CHECK(eventually([&] { return client.get("/v1/jails/" + name + "/plan").at("plan").empty(); }, kSoon));
        CHECK(client.state(name) == "running");
        CHECK(client.sh(name, "echo whole") == "whole");
    }
    void expect_network_repair(const std::string& step, std::chrono::seconds deadline) const {
        expect_repair("network", "default", step, deadline);
    }
    void expect_outside_reachable_from(const std::string& name) const {
        INFO(name);
        auto listener = value_of(Listener::open(host.outside_name(), Cable::outside4));
        CHECK(connect_from(client.network_of(name), Cable::outside4, listener.port()));
        CHECK(value_of(listener.accept()) == value_of(IpAddress::parse(Cable::host4)));
    }
};

}  // namespace

TEST_CASE("what is taken from jails by hand comes back at the next resync", "[drift][nat]") {
    const Disturbed test({{{"name", "killed"}},
                          {{"name", "unlinked"}},
                          {{"name", "uncovered"}},
                          {{"name", "bare"}},
                          {{"name", "shimless"}, {"command", {"/bin/sleep", "1000"}}}});
    const auto& client = test.client;
    const auto killed = client.life("killed");
    const auto unlinked = client.life("unlinked");
    const auto command = client.command_pid("shimless");
    const auto mounts = by_hand::some_mounts();
    const std::vector<std::pair<std::string, std::string>> unmounted{{"uncovered", mounts.at(0)},
                                                                     {"bare", mounts.at(1)}};

    by_hand::kill_jail(client, "killed");
    by_hand::delete_link(test.host, client, "unlinked");
    for (const auto& [name, mount] : unmounted) by_hand::unmount(test.directory(name) / mount);
    kill_process(client.shim("shimless"));

    test.expect_jail_repair("killed", "create_jail killed");
    CHECK(client.life("killed") != killed);
    test.expect_outside_reachable_from("killed");

    test.expect_jail_repair("unlinked", "ensure_link vnet0");
    CHECK(client.life("unlinked") == unlinked);
    test.expect_outside_reachable_from("unlinked");

    for (const auto& [name, mount] : unmounted) {
        test.expect_jail_repair(name, "mount " + mount);
        INFO(name << " has its own /usr/local, not the host's");
        CHECK(client.sh(name, "touch /usr/local/mine").empty());
        CHECK(std::filesystem::exists(test.directory(name) / by_hand::kLocal / "mine"));
    }

    test.expect_jail_repair("shimless", "hold");
    CHECK(eventually([&] { return !lives(command); }));
    const auto status = client.jail("shimless").at("status");
    INFO(status);
    CHECK(status.at("last_exit").value("reason", "") == "lost");
    CHECK(status.at("command_pid").is_null());
}

TEST_CASE("a gateway's address that was deleted from the bridge comes back", "[drift][nat]") {
    const Disturbed test(std::vector{json{{"name", "web"}}});
    const auto network = test.client.get("/v1/networks/default");
    const std::string gateway = network.at("status").at("gateways").at(0);
    const auto bridge = kernel::bridge_name(test.client.instance(), NetworkId{1});
    by_hand::delete_address(test.host, bridge, gateway);
    test.expect_network_repair("ensure_bridge default", kSoon);
    test.expect_outside_reachable_from("web");
}

TEST_CASE("our firewall rules come back by themselves", "[drift][nat]") {
    Disturbed test(std::vector{json{{"name", "web"}}});
    by_hand::delete_rules(test.host, test.client, by_hand::Rules::some);
    test.expect_network_repair("apply_rules default", kSlow);
    test.expect_outside_reachable_from("web");

    test.before = test.client.last_event();
    by_hand::delete_rules(test.host, test.client, by_hand::Rules::all);
    test.expect_network_repair("apply_rules default", kSlow);
    test.expect_outside_reachable_from("web");
}
