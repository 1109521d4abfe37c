#include "core/reconcile/plan.h"

#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::CommandState;

namespace {

Desired with_command(Desired desired = wanted_web()) {
    desired.jail.spec.command = {"/usr/sbin/httpd", "-f"};
    return desired;
}

Desired with_exec(Desired desired = wanted_web()) {
    desired.jail.spec.exec.start = {"/bin/sh", "/etc/rc"};
    desired.jail.spec.exec.stop = {"/bin/sh", "/etc/rc.shutdown"};
    return desired;
}

}  // namespace

TEST_CASE("a new jail is built from its root upwards, and the user's programs come last", "[plan]") {
    Toy toy;
    CHECK(toy.do_once(with_command(with_exec())) ==
          Steps{"prepare_root", "refresh_root", "mount root/usr", "mount root/dev", "hold", "reset", "record_begun",
                "create_jail web", "ensure_link vnet0", "exec_start", "start_command", "record_done"});
    CHECK(toy.do_once(with_command(with_exec())).empty());
}

TEST_CASE("a jail without a network has no link", "[plan]") {
    auto desired = wanted_web();
    desired.jail.spec.network = {.mode = model::NetworkMode::none, .interfaces = {}, .nameservers = {}, .search = {}};
    desired.networks.clear();
    desired.jail.interfaces.clear();
    Toy toy;
    CHECK_FALSE(contains(toy.converge(desired), "ensure_link vnet0"));
}

TEST_CASE("a running jail is stopped from the user's programs downwards, its root stays", "[plan]") {
    const auto desired = with_command(with_exec());
    auto toy = Toy::running(desired);
    CHECK(toy.do_once(stopped(desired)) == Steps{"exec_stop", "record_stopped", "stop_command", "destroy_link vnet0",
                                                 "remove_jail web", "release", "unmount root/dev", "unmount root/usr"});
    CHECK(plan(stopped(desired), toy.observed).empty());
    CHECK(toy.observed.prepared);
    CHECK(toy.row);
}

TEST_CASE("a root changes when its new one is at hand and nothing of the jail is left, and then it starts", "[plan]") {
    auto desired = with_command(with_exec());
    auto toy = Toy::running(desired);
    desired.jail.root_change =
        model::RootChange{.from = SnapshotId{7}, .name = "web@before", .from_jail = desired.jail.id};
    CHECK(texts(plan(desired, toy.observed)) == Steps{"stage_root web@before"});
    toy.observed.staged = true;
    CHECK(texts(plan(desired, toy.observed)) == Steps{"exec_stop", "record_stopped", "stop_command",
                                                      "destroy_link vnet0", "remove_jail web", "release",
                                                      "unmount root/dev", "unmount root/usr"});
    CHECK(texts(plan(stopped(desired), toy.observed)).front() == "exec_stop");
    toy.do_once(stopped(with_command(with_exec())));
    CHECK(texts(plan(desired, toy.observed)) == Steps{"restore_root web@before"});
    CHECK(texts(plan(stopped(desired), toy.observed)) == Steps{"restore_root web@before"});
    CHECK(texts(plan(removed(desired), toy.observed)) == Steps{"remove_root", "forget web"});
}

TEST_CASE("a jail whose root is unpacked is left alone until that is done, but it can go", "[plan]") {
    auto desired = with_command(with_exec());
    desired.jail.root_change = model::RootChange{.stage = model::RootStage::unpack, .from = {}, .name = "an archive"};
    Observed observed;
    observed.directory = true;
    CHECK(plan(desired, observed).empty());
    CHECK(plan(stopped(desired), observed).empty());
    CHECK(texts(plan(removed(desired), observed)) == Steps{"remove_root", "forget web"});
}

TEST_CASE("a removed jail goes with its root, its row last", "[plan]") {
    const auto desired = wanted_web();
    auto toy = Toy::running(desired);
    CHECK(toy.do_once(removed(desired)) == Steps{"destroy_link vnet0", "remove_jail web", "release", "unmount root/dev",
                                                 "unmount root/usr", "remove_root"});
    CHECK(toy.row);
    SECTION("at once") {
        CHECK(toy.do_once(removed(desired)) == Steps{"forget web"});
        CHECK_FALSE(toy.row);
    }
    SECTION("when it is not dying any more") {
        toy.observed.jail = kernel::ObservedJail{.id = desired.jail.id, .name = "web", .dying = true};
        CHECK(toy.do_once(removed(desired)).empty());
        toy.observed.jail.reset();
        CHECK(toy.do_once(removed(desired)) == Steps{"forget web"});
    }
}

TEST_CASE("a jail of which nothing was made yet is only forgotten", "[plan]") {
    CHECK(texts(plan(removed(wanted_web()), {})) == Steps{"forget web"});
}

TEST_CASE("a stopped jail of which nothing runs needs no step", "[plan]") {
    CHECK(plan(stopped(wanted_web()), {}).empty());
}

TEST_CASE("exec.stop is run once, however often the rest of a stop is tried", "[plan]") {
    const auto desired = with_exec();
    auto toy = Toy::running(desired);
    toy.do_once(stopped(desired), 3);  // exec_stop, record_stopped, destroy_link; then a step failed
    toy.converge(stopped(desired));
    CHECK(toy.stop_runs == 1);
}

TEST_CASE("exec.stop is not run in a jail that was never whole", "[plan]") {
    const auto desired = with_exec();
    Toy toy;
    toy.do_once(desired, 8);  // created
    CHECK_FALSE(contains(toy.converge(stopped(desired)), "exec_stop"));
}

TEST_CASE("a restart takes everything down and starts everything again", "[plan][restart]") {
    const auto desired = with_command(with_exec());
    auto toy = Toy::running(desired);
    const auto steps = toy.converge(restarted(desired));
    CHECK(steps.front() == "exec_stop");
    CHECK(contains(steps, "remove_jail web"));
    CHECK(toy.command_runs == 2);
    CHECK(toy.start_runs == 2);
    CHECK(toy.observed.applied.incarnation == 2);
}

TEST_CASE("a stop and a start are a start that somebody asked for: the command runs again", "[plan]") {
    const auto desired = with_command();
    auto toy = Toy::running(desired);
    toy.converge(stopped(desired));
    toy.converge(desired);
    CHECK(toy.command_runs == 2);
}

TEST_CASE("a command that ended is not run again, and the jail stays", "[plan][command]") {
    auto toy = Toy::running(with_command());
    toy.end_command();
    CHECK(plan(with_command(), toy.observed).empty());
}

TEST_CASE("what a jail loses by an accident comes back, but its command ran already", "[plan][command]") {
    const auto desired = with_command(with_exec());
    auto toy = Toy::running(desired);

    SECTION("its processes were killed") {
        toy.kill_jail();
    }
    SECTION("it was removed by hand") {
        toy.lose_jail();
    }
    SECTION("its shim was killed") {
        toy.kill_shim();
    }
    SECTION("its shim was killed, and it died of that") {
        toy.kill_shim();
        toy.kill_jail();
    }
    SECTION("its host was switched off") {
        toy.reboot();
    }
    SECTION("its command had ended before") {
        toy.end_command();
        toy.kill_jail();
    }
    CHECK(is_drift(desired, toy.observed));
    // The way back is broken off after one step, then after two more, then after three …
    for (std::size_t count = 1; !toy.do_once(desired, count).empty(); ++count) REQUIRE(count < 50);

    CHECK(alive(toy.observed));
    CHECK(toy.observed.applied.complete);
    CHECK(toy.command_runs == 1);
    CHECK(toy.start_runs == 2);
    CHECK(toy.stop_runs == 0);

    toy.converge(restarted(desired));
    CHECK(toy.command_runs == 2);
}

TEST_CASE("a restart runs the command once, whatever happened before and wherever it is broken off",
          "[plan][command]") {
    const auto desired = with_command();
    auto toy = Toy::running(desired);
    const int accident = GENERATE(range(0, 5));
    if (accident == 1) toy.kill_shim();
    if (accident == 2) toy.kill_jail();
    if (accident == 3) toy.reboot();
    if (accident == 4) {
        toy.kill_shim();
        toy.do_once(desired);  // taken down, not yet made again
    }
    const auto again = restarted(desired);
    const auto first = GENERATE(range(std::size_t{0}, std::size_t{12}));
    const auto second = GENERATE(range(std::size_t{0}, std::size_t{12}));
    INFO("accident " << accident << ", broken off after " << first << " and " << second << " steps");
    toy.do_once(again, first);
    toy.do_once(again, second);
    toy.converge(again);
    CHECK(toy.command_runs == 2);
    CHECK(toy.observed.shim->command == CommandState::running);
}

TEST_CASE("a jail that died before its command was begun has it run when it is made again", "[plan][command]") {
    const auto desired = with_command();
    Toy toy;
    toy.do_once(desired, 8);  // created
    toy.kill_jail();
    toy.converge(desired);
    CHECK(toy.command_runs == 1);
}

TEST_CASE("remains are taken down before the jail is made again", "[plan][drift]") {
    auto toy = Toy::running(wanted_web());
    toy.kill_jail();
    CHECK(texts(plan(wanted_web(), toy.observed)) == Steps{"record_begun", "destroy_link vnet0", "remove_jail web",
                                                           "release", "unmount root/dev", "unmount root/usr"});
}

TEST_CASE("a half-made jail is continued where it was left", "[plan][crash]") {
    const auto desired = with_command(with_exec());
    const auto whole = Toy{}.do_once(desired);
    const auto done = GENERATE(range(std::size_t{0}, std::size_t{12}));
    INFO("crash after " << done << " steps");
    Toy toy;
    toy.do_once(desired, done);
    const auto rest = toy.converge(desired);
    CHECK(contains(rest, "record_done"));
    CHECK_FALSE(contains(rest, "remove_jail web"));
    CHECK(toy.start_runs == 1);
    CHECK(toy.command_runs == 1);
    REQUIRE(whole.size() == 12);
}

TEST_CASE("a half-made jail whose restart fields changed is made anew", "[plan][crash]") {
    Toy toy;
    toy.do_once(with_exec(), 9);  // linked; exec.start fails, say
    const auto mended = changed(with_exec(), [](model::JailSpec& spec) { spec.exec.start = {"/bin/true"}; });
    CHECK(toy.do_once(mended) == Steps{"record_stopped", "destroy_link vnet0", "remove_jail web", "release",
                                       "unmount root/dev", "unmount root/usr"});
    CHECK(contains(toy.converge(mended), "exec_start"));
}

TEST_CASE("a half-made jail that only got labels is continued", "[plan][crash]") {
    Toy toy;
    toy.do_once(wanted_web(), 8);
    const auto labelled = changed(wanted_web(), [](model::JailSpec& spec) { spec.labels["tier"] = "1"; });
    CHECK(toy.converge(labelled) == Steps{"ensure_link vnet0", "record_done"});
}

TEST_CASE("each thing that is taken from a running jail comes back alone", "[plan][drift]") {
    auto toy = Toy::running(wanted_web());
    auto& link = toy.observed.links.front();

    SECTION("the link") {
        toy.observed.links.clear();
    }
    SECTION("its host end") {
        link.host_end = false;
    }
    SECTION("its jail end") {
        link.jail_end = false;
    }
    SECTION("it is down") {
        link.up = false;
    }
    SECTION("its place on the bridge") {
        link.bridge = {};
    }
    SECTION("an address") {
        link.addresses.pop_back();
    }
    SECTION("a route") {
        link.gateways.clear();
    }
    SECTION("its MTU") {
        link.mtu = 1280;
    }
    CHECK(toy.do_once(wanted_web()) == Steps{"ensure_link vnet0"});
    CHECK(plan(wanted_web(), toy.observed).empty());
}

TEST_CASE("a jail with several interfaces has a link for each", "[plan]") {
    const auto desired = wanted_on_two_networks();
    Toy toy;
    const auto steps = toy.converge(desired);
    CHECK(contains(steps, "ensure_link vnet0"));
    CHECK(contains(steps, "ensure_link vnet1"));
    REQUIRE(toy.observed.links.size() == 2);
    CHECK(toy.observed.links[1].bridge == NetworkId{2});
    CHECK(toy.observed.links[1].addresses == desired.jail.interfaces[1].addresses);

    SECTION("the default routes lead through the first one alone") {
        CHECK(toy.observed.links[0].gateways.size() == 2);
        CHECK(toy.observed.links[1].gateways.empty());
    }
    SECTION("one that is taken away comes back alone") {
        toy.observed.links.pop_back();
        CHECK(toy.do_once(desired) == Steps{"ensure_link vnet1"});
    }
    SECTION("the other one is not touched when the first is disturbed") {
        toy.observed.links[0].addresses.clear();
        CHECK(toy.do_once(desired) == Steps{"ensure_link vnet0"});
    }
    SECTION("one that the spec does not know is taken away") {
        auto extra = toy.observed.links[1];
        extra.id.index = 5;
        toy.observed.links.push_back(extra);
        CHECK(toy.do_once(desired) == Steps{"destroy_link vnet5"});
        CHECK(plan(desired, toy.observed).empty());
    }
    SECTION("an interface that is added waits for a restart, its network too") {
        auto one = wanted_web();
        auto first = Toy::running(one);
        auto two = wanted_on_two_networks();
        two.jail.generation++;
        CHECK(first.do_once(two) == Steps{"record_done"});
        CHECK(effective(two.jail, first.observed).waiting == Steps{"/network/interfaces"});
        CHECK(contains(first.converge(restarted(two)), "ensure_link vnet1"));
    }
    SECTION("all of them go with it") {
        const auto down = toy.converge(stopped(desired));
        CHECK(contains(down, "destroy_link vnet0"));
        CHECK(contains(down, "destroy_link vnet1"));
        CHECK(toy.observed.links.empty());
    }
}

TEST_CASE("a default route is by the first interface that has an address of its family", "[plan]") {
    auto desired = wanted_on_two_networks();
    desired.jail.interfaces[0].addresses.pop_back();  // no IPv6 there
    const auto links = link_parameters(desired.jail, desired.networks);
    REQUIRE(links.size() == 2);
    CHECK(links[0].gateways == std::vector{desired.networks[0].gateway(Family::ipv4).value()});
    CHECK(links[1].gateways == std::vector{desired.networks[1].gateway(Family::ipv6).value()});
}

TEST_CASE("an interface that learns its IPv6 addresses has none of ours, and takes the default route in its turn",
          "[plan]") {
    auto desired = wanted_on_two_networks();
    const auto learns = [&](unsigned index) {
        desired.jail.spec.network.interfaces.at(index).slaac = true;
        desired.jail.interfaces.at(index).addresses.pop_back();
    };
    learns(0);
    auto links = link_parameters(desired.jail, desired.networks);
    CHECK(links[0].slaac == kernel::Learns::addresses_and_route);
    CHECK(links[0].gateways == std::vector{desired.networks[0].gateway(Family::ipv4).value()});
    CHECK(links[1].slaac == kernel::Learns::nothing);
    CHECK(links[1].gateways.empty());
    learns(1);
    links = link_parameters(desired.jail, desired.networks);
    CHECK(links[1].slaac == kernel::Learns::addresses);

    auto toy = Toy::running(desired);
    CHECK(toy.observed.links.at(0).advertised);
    toy.observed.links.at(0).addresses.push_back(*Prefix::parse("2001:db8::5/64"));
    toy.observed.links.at(0).gateways.push_back(*IpAddress::parse("fe80::1"));
    CHECK(toy.do_once(desired).empty());
    toy.observed.links.at(0).advertised = false;
    CHECK(toy.do_once(desired) == Steps{"ensure_link vnet0"});

    desired.jail.spec.network.interfaces.at(1).dhcp = true;
    desired.jail.interfaces.at(1).addresses.clear();
    links = link_parameters(desired.jail, desired.networks);
    CHECK(links[1].dhcp == kernel::Learns::addresses);
    toy = Toy::running(desired);
    CHECK(toy.do_once(desired).empty());
    toy.observed.links.at(1).client = false;
    CHECK(toy.do_once(desired) == Steps{"ensure_link vnet1"});
}

TEST_CASE("a policy waits with the interface that will have the address that it needs", "[plan]") {
    auto before = wanted_web();
    before.jail.spec.firewall = {};
    before.jail.spec.publish.clear();
    before.jail.spec.network.interfaces.at(0).dhcp = true;
    before.jail.interfaces.at(0).addresses.erase(before.jail.interfaces.at(0).addresses.begin());
    const auto toy = Toy::running(before);
    auto after = changed(before, [](model::JailSpec& spec) {
        spec.network.interfaces.at(0).dhcp = false;
        spec.firewall.egress = model::Policy{};
        spec.publish = {{.host_port = {80, 80}, .jail_port = {80, 80}}};
    });
    const auto held = effective(after.jail, toy.observed);
    CHECK(held.waiting == Steps{"/network/interfaces"});
    CHECK(held.jail.spec.firewall.empty());
    CHECK(held.jail.spec.publish.empty());
    CHECK(endpoints_of(held.jail, after.networks).at(0).dynamic);
    CHECK_FALSE(endpoints_of(after.jail, after.networks).at(0).dynamic);
}

TEST_CASE("what a spec says of an interface is what its link has", "[plan]") {
    const auto desired = changed(wanted_on_two_networks(), [](model::JailSpec& spec) {
        spec.network.interfaces[1].mac = "06:00:00:00:00:01";
        spec.network.interfaces[1].mtu = 1400;
        spec.network.interfaces[1].name = "lan0";
    });
    auto toy = Toy::running(desired);
    auto& link = toy.observed.links.at(1);
    CHECK(link.name == "lan0");
    CHECK(link.mac == "06:00:00:00:00:01");
    CHECK(link.mtu == 1400);
    CHECK(link_parameters(desired.jail, desired.networks)[1].mtu == 1500);  // its end on the bridge

    SECTION("another MAC address") {
        link.mac = "06:00:00:00:00:02";
    }
    SECTION("our MAC address") {
        link.mac.clear();
    }
    SECTION("another name") {
        link.name = "eth0";
    }
    SECTION("another MTU") {
        link.mtu = 1500;
    }
    CHECK(toy.do_once(desired) == Steps{"ensure_link lan0"});
    CHECK(plan(desired, toy.observed).empty());
}

TEST_CASE("what a jail's own root adds to its interface is his affair", "[plan]") {
    auto toy = Toy::running(wanted_web());
    toy.observed.links.front().addresses.push_back(value_of(Prefix::parse("192.0.2.1/24")));
    toy.observed.links.front().gateways.push_back(value_of(IpAddress::parse("192.0.2.254")));
    CHECK(plan(wanted_web(), toy.observed).empty());
}

TEST_CASE("live fields reach a running jail at once", "[plan][change]") {
    auto toy = Toy::running(with_exec());

    SECTION("the hostname") {
        const auto renamed = changed(with_exec(), [](model::JailSpec& spec) { spec.hostname = "www.example.org"; });
        CHECK_FALSE(is_drift(renamed, toy.observed));
        CHECK(toy.do_once(renamed) == Steps{"update_jail web", "record_done"});
        CHECK(toy.observed.jail->hostname == "www.example.org");
    }
    SECTION("labels, exec.stop and its timeout: nothing but the record") {
        const auto next = changed(with_exec(), [](model::JailSpec& spec) {
            spec.labels["tier"] = "1";
            spec.exec.stop = {};
            spec.exec.timeout = Milliseconds{1'000};
        });
        CHECK(toy.do_once(next) == Steps{"record_done"});
        CHECK(effective(next.jail, toy.observed).waiting.empty());
        CHECK_FALSE(contains(toy.converge(stopped(next)), "exec_stop"));
    }
}

TEST_CASE("restart fields wait, and drift is mended to what the jail was made with", "[plan][change]") {
    auto toy = Toy::running(with_command());
    auto pending = changed(with_command(), [](model::JailSpec& spec) {
        spec.command = {"/bin/other"};
        spec.network.interfaces[0].addresses = {value_of(Prefix::parse("10.213.0.50/24"))};
    });
    const auto old_addresses = pending.jail.addresses();
    pending.jail.interfaces[0].addresses[0] = value_of(Prefix::parse("10.213.0.50/24"));

    CHECK(toy.do_once(pending) == Steps{"record_done"});
    CHECK(plan(pending, toy.observed).empty());
    CHECK(effective(pending.jail, toy.observed).waiting == Steps{"/command", "/network/interfaces"});

    toy.observed.links.clear();
    CHECK(toy.do_once(pending) == Steps{"ensure_link vnet0"});
    CHECK(toy.observed.links.front().addresses == old_addresses);
    CHECK(toy.command_runs == 1);

    toy.converge(restarted(pending));
    CHECK(toy.observed.links.front().addresses == pending.jail.addresses());
    CHECK(effective(pending.jail, toy.observed).waiting.empty());
    CHECK(toy.command_runs == 2);
}

TEST_CASE("live fields are taken also while another field waits", "[plan][change]") {
    auto toy = Toy::running(wanted_web());
    const auto pending = changed(wanted_web(), [](model::JailSpec& spec) {
        spec.command = {"/bin/other"};
        spec.hostname = "other";
        spec.exec.stop = {"/bin/sh", "/etc/rc.shutdown"};
    });
    CHECK(toy.do_once(pending) == Steps{"update_jail web", "record_done"});
    CHECK(effective(pending.jail, toy.observed).waiting == Steps{"/command"});
    toy.converge(stopped(pending));
    CHECK(toy.stop_runs == 1);
}

TEST_CASE("nothing of the user's is run in a jail of which nobody knows if it was", "[plan][command]") {
    const auto desired = with_command(with_exec());
    Toy toy;
    toy.do_once(desired, 9);  // linked, nothing run yet
    REQUIRE_FALSE(toy.observed.links.empty());
    toy.observed.applied = {};  // the hint is deleted by hand
    CHECK(toy.converge(desired) == Steps{"record_done"});
    CHECK(toy.command_runs == 0);
    CHECK(toy.start_runs == 0);
}

TEST_CASE("a field that is put back waits for nothing", "[plan][change]") {
    auto toy = Toy::running(with_command());
    const auto pending = changed(with_command(), [](model::JailSpec& spec) { spec.command = {"/bin/other"}; });
    toy.converge(pending);
    auto back = with_command();
    back.jail.generation = 3;
    CHECK(toy.converge(back) == Steps{"record_done"});
    CHECK(effective(back.jail, toy.observed).waiting.empty());
}

TEST_CASE("what a jail is held to does not change by asking twice", "[plan][change]") {
    const auto toy = Toy::running(with_command());
    const auto pending = changed(with_command(), [](model::JailSpec& spec) {
        spec.command = {"/bin/other"};
        spec.hostname = "other";
    });
    auto once = pending;
    once.jail = effective(pending.jail, toy.observed).jail;
    CHECK(effective(once.jail, toy.observed).jail.spec == once.jail.spec);
    CHECK(plan(once, toy.observed) == plan(pending, toy.observed));
}

TEST_CASE("a hint that is gone or cannot be read", "[plan]") {
    auto toy = Toy::running(wanted_web());

    SECTION("gone: the jail runs on, taken for what is wanted") {
        toy.observed.applied = {};
        CHECK(toy.converge(wanted_web()) == Steps{"record_done"});
    }
    SECTION("gone, with the link: the jail runs on and is linked") {
        toy.observed.applied = {};
        toy.observed.links.clear();
        CHECK(toy.converge(wanted_web()) == Steps{"ensure_link vnet0", "record_done"});
    }
    SECTION("gone, and the command ended: it is not run again") {
        auto other = Toy::running(with_command());
        other.observed.applied = {};
        other.observed.shim->command = kernel::CommandState::none;
        CHECK(other.converge(with_command()) == Steps{"record_done"});
    }
    SECTION("of another version: the jail runs on") {
        toy.observed.applied.spec = R"({"spec":{"made_up":1}})";
        CHECK(plan(wanted_web(), toy.observed).empty());
    }
}

TEST_CASE("a crash between a restart's first hint and its command does not cost the command", "[plan][restart]") {
    auto toy = Toy::running(with_command());
    toy.observed.shim->alive = false;  // killed with its command, which is recorded as lost by the next shim
    toy.observed.jail.reset();
    toy.observed.links.clear();
    auto again = with_command();
    again.jail.incarnation++;
    const auto steps = texts(plan(again, toy.observed));
    const auto before_creation = std::ranges::find(steps, "create_jail web") - steps.begin();
    toy.do_once(again, static_cast<std::size_t>(before_creation) - 1);
    CHECK(contains(toy.converge(again), "start_command"));
}

TEST_CASE("a dying jail waits for nobody and nobody waits for it", "[plan][dying]") {
    Observed observed;
    observed.jail = kernel::ObservedJail{.id = JailId{1}, .name = "web", .dying = true, .hostname = {}};

    SECTION("its successor is built") {
        Toy toy;
        toy.observed = observed;
        CHECK(contains(toy.converge(wanted_web()), "create_jail web"));
    }
    SECTION("a stopped one needs nothing") {
        CHECK(plan(stopped(wanted_web()), observed).empty());
    }
    SECTION("a removed one keeps its name until it is gone") {
        observed.directory = observed.prepared = true;
        CHECK(texts(plan(removed(wanted_web()), observed)) == Steps{"remove_root"});
        observed.directory = observed.prepared = false;
        CHECK(plan(removed(wanted_web()), observed).empty());
        observed.jail.reset();
        CHECK(texts(plan(removed(wanted_web()), observed)) == Steps{"forget web"});
    }
}

TEST_CASE("a link or a command without a living jail is taken down before a build", "[plan]") {
    Toy toy = Toy::running(with_command());

    SECTION("a link") {
        const auto links = toy.observed.links;
        toy.lose_jail();
        toy.observed.links = links;
        CHECK(contains(texts(plan(with_command(), toy.observed)), "destroy_link vnet0"));
        CHECK_FALSE(contains(texts(plan(with_command(), toy.observed)), "create_jail web"));
    }
    SECTION("a command") {
        toy.lose_jail();
        toy.observed.shim->command = CommandState::running;
        CHECK(contains(texts(plan(with_command(), toy.observed)), "stop_command"));
        CHECK_FALSE(contains(texts(plan(with_command(), toy.observed)), "create_jail web"));
    }
}

TEST_CASE("a live root is never prepared or refreshed again", "[plan]") {
    auto toy = Toy::running(wanted_web());
    toy.observed.prepared = false;
    toy.observed.links.clear();
    CHECK(texts(plan(wanted_web(), toy.observed)) == Steps{"ensure_link vnet0"});
}

TEST_CASE("drift is only what happens to a jail that was whole and should be", "[plan][drift]") {
    const auto desired = wanted_web();
    const auto toy = Toy::running(desired);
    CHECK(is_drift(desired, toy.observed));
    CHECK_FALSE(is_drift(stopped(desired), toy.observed));
    CHECK_FALSE(is_drift(removed(desired), toy.observed));
    CHECK_FALSE(is_drift(restarted(desired), toy.observed));
    CHECK_FALSE(is_drift(desired, {}));
}

TEST_CASE("no step names a secret", "[plan]") {
    auto desired = with_command(with_exec());
    desired.jail.spec.exec.env["TOKEN"] = {.value = "s3cret", .secret = true};
    desired.jail.spec.command.emplace_back("s3cret");
    desired.jail.spec.exec.start.emplace_back("s3cret");
    for (const auto& step : texts(plan(desired, {}))) CHECK(step.find("s3cret") == std::string::npos);
}
