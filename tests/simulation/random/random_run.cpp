#include "tests/simulation/random/random_run.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <functional>

#include "tests/simulation/random/random_spec.h"
#include "tests/simulation/scene/expectation.h"
#include "tests/simulation/scene/scene.h"

namespace jaild::simulation {
namespace {

using kernel::memory::Dice;
using kernel::memory::Hand;
using kernel::memory::Remains;

/// Longer than any program of a jail's may take, and a call.
constexpr Milliseconds kHangs{7'200'000};

constexpr const char* kNames[] = {"web", "db", "mail2", "build", "cache"};

class Run {
public:
    explicit Run(const RunOptions& options) : options_(options), dice_(options.seed) {
        if (options.trace) {
            scene_.kernel().faults().trace([](std::size_t number, std::string_view point) {
                std::fputs(fmt::format("      {} {}\n", number, point).c_str(), stderr);
            });
        }
    }

    std::vector<std::string> play() {
        begin_weather();
        for (std::size_t step = 0; step < options_.steps; ++step) {
            if (dice_.chance(0.7)) act();
            rounds();
        }
        auto found = scene_.hung().empty() ? std::vector<std::string>{} : check_while_hung();
        if (found.empty() && dice_.chance(0.2)) found = check_without_network();
        if (found.empty()) found = check("after the run");
        if (!found.empty()) return found;
        for (const auto& jail : scene_.jails()) {
            if (!jail.removing) (void)scene_.remove(jail.id);
        }
        if (found = check("after removing all"); !found.empty()) return found;
        for (const auto& network : scene_.networks()) {
            if (network.name.text() == "default") continue;
            if (auto gone = scene_.remove_network(network); !gone)
                return {"a network that nobody is on is not removed: " + gone.error().to_string()};
        }
        return check("after removing the networks");
    }

private:
    void say(const std::string& text) const {
        if (options_.trace) std::fputs((text + '\n').c_str(), stderr);
    }

    /// A quarter of all runs has no faults, and so shows that drift alone is repaired.
    void begin_weather() {
        if (dice_.chance(0.25)) return;
        scene_.kernel().set_nature(
            {.seed = dice_.below(1u << 30), .linger = 0.4, .linger_rounds = 4, .busy_anchor = 0.2});
        const auto often = static_cast<double>(dice_.below(4)) * 0.01;
        const auto crashes = static_cast<double>(dice_.below(3)) * 0.01;
        scene_.kernel().faults().random(dice_.below(1u << 30),
                                        {.fail = often, .fail_after = often / 2, .crash = crashes});
    }

    void rounds() {
        for (auto count = dice_.below(3); count > 0; --count) {
            const auto jails = scene_.jails();
            const char* ends[] = {"done", "failed", "hangs", "crashed"};
            Round how = Round::done;
            if (const auto hung = scene_.hung(); !hung.empty() && dice_.chance(0.2)) {
                const auto id = dice_.pick(hung);
                const auto call = scene_.hangs_in(id);
                const bool fails = dice_.chance(0.3);
                say(fmt::format("    {} of {} returns{}", call, id.value, fails ? " an error" : ""));
                how =
                    scene_.let_go(id, fails ? std::unexpected(Error::from_errno(call, EINTR, "hung")) : Result<void>{});
            } else if (!jails.empty() && dice_.chance(0.06)) {
                const auto id = dice_.pick(jails).id;
                say(fmt::format("    reconcile {}, and hang", id.value));
                how = scene_.reconcile_and_hang(id, static_cast<unsigned>(dice_.below(8)));
            } else if (jails.empty() || dice_.chance(0.3)) {
                say("    resync");
                how = scene_.resync();
            } else {
                const auto id = dice_.pick(jails).id;
                say(fmt::format("    reconcile {}", id.value));
                how = scene_.reconcile(id);
            }
            say(fmt::format("    {} {}", ends[static_cast<int>(how)], how == Round::done ? "" : scene_.last_error()));
            if (dice_.chance(0.02)) scene_.kill_daemon();
        }
    }

    /// Refused, most often: it is used, or another one has its subnet.
    void act_on_network() {
        const auto networks = scene_.networks();
        if (networks.size() == 1 || dice_.chance(0.3)) {
            const auto wanted = random_network(dice_);
            return report("make network", wanted, scene_.create_network(wanted));
        }
        const auto& network = dice_.pick(networks);
        if (network.name.text() != "default" && dice_.chance(0.4))
            return report("remove network", network, scene_.remove_network(network));
        auto wanted = changed(dice_, network);
        if (!model::check_network(wanted)) return;
        report("change network", network, scene_.update_network(wanted));
    }

    /// What befalls a host as a whole.
    void befall() {
        constexpr Milliseconds kDay{86'400'000};
        const auto chosen = dice_.below(keeping_ == Keeping::on_disk ? 4 : 3);
        if (chosen == 3) {
            say("  the database is lost");
            return scene_.lose_database();
        }
        if (chosen == 0) {
            const bool back = dice_.chance(0.5);
            say(back ? "  the date goes back a day" : "  the date goes on a day");
            return scene_.clock().set_date(back ? -kDay : kDay);
        }
        full_ = !full_;
        say(full_ ? "  the disk is full" : "  the disk has room again");
        scene_.fill_disk(full_);
    }

    void act() {
        if (dice_.chance(full_ ? 0.3 : 0.06)) return befall();
        if (dice_.chance(0.2)) return act_on_network();
        const auto jails = scene_.jails();
        if (jails.empty() || dice_.chance(0.2)) return create();
        const auto& jail = dice_.pick(jails);
        if (jail.unpacking() && dice_.chance(0.5)) return end_import(jail);
        if (dice_.chance(0.15)) return act_on_snapshots(jail);
        const auto chosen = dice_.below(10);
        if (chosen >= 5) return disturb(jail);
        if (chosen == 0) {
            report("remove", jail, scene_.remove(jail.id));
        } else if (chosen == 1) {
            report("restart", jail, scene_.restart(jail.id));
        } else {
            report("update", jail, scene_.update(jail.id, changed(dice_, jail.spec)));
        }
    }

    void act_on_snapshots(const model::Jail& jail) {
        const auto snapshots = scene_.snapshots();
        const bool wrote = scene_.kernel().hand().write_root(jail.id, ++written_);
        if (snapshots.empty() || dice_.chance(0.4)) {
            const auto taken = scene_.take_snapshot(jail.id);
            return report(wrote ? "write and take" : "take", jail,
                          taken ? Result<void>{} : std::unexpected(taken.error()));
        }
        if (dice_.chance(0.3)) return report("upgrade", jail, scene_.upgrade(jail.id));
        const auto& from = dice_.pick(snapshots);
        const auto owner = scene_.jail(from.jail);
        if (dice_.chance(0.7)) return report("restore", *owner, scene_.restore(from.jail, from.id));
        const auto name = expect(model::Name::parse(kNames[dice_.below(std::size(kNames))]));
        auto spec = random_spec(dice_, name);
        spec.root = owner->spec.root;
        spec.template_name = from.template_name;
        const auto made = scene_.clone({name, spec}, from.id);
        report("clone", *owner, made ? Result<void>{} : std::unexpected(made.error()));
    }

    void create() {
        const auto name = expect(model::Name::parse(kNames[dice_.below(std::size(kNames))]));
        const auto spec = random_spec(dice_, name);
        const bool movable = spec.root.kind != model::RootKind::path && spec.template_name != "host";
        const bool imports = movable && dice_.chance(0.3);
        auto made = imports ? scene_.import({name, spec}) : scene_.create({name, spec});
        say(fmt::format("  {} {}: {}", imports ? "import" : "create", name.text(),
                        made ? std::to_string(made->value) : made.error().to_string()));
    }

    void end_import(const model::Jail& jail) {
        const bool whole = dice_.chance(0.6);
        scene_.end_import(jail.id, whole ? Scene::Archive::whole : Scene::Archive::cut_off);
        say(fmt::format("  end import {}: {}", jail.id.value, whole ? "whole" : "cut off"));
    }

    void report(std::string_view what, const model::Jail& jail, const Result<void>& done) const {
        say(fmt::format("  {} {} {}", what, jail.id.value, done ? "" : done.error().to_string()));
    }

    void report(std::string_view what, const model::Network& network, const Result<void>& done) const {
        say(fmt::format("  {} {} {}", what, network.name.text(), done ? "" : done.error().to_string()));
    }

    /// Somebody with root and no patience.
    void disturb(const model::Jail& jail) {
        auto& hand = scene_.kernel().hand();
        const auto id = jail.id;
        const auto network = dice_.pick(scene_.networks()).id;
        const std::vector<std::string> targets{"root/usr", "root/tmp", "root/dev", "root"};
        const auto& target = dice_.pick(targets);
        auto choice = dice_.below(27);
        // What is disturbed between a look and the call that it was for, no daemon can notice before that.
        if (!scene_.hangs_in(id).empty() || (choice == 13 && !scene_.hung().empty())) choice = 16;
        bool done = false;
        switch (choice) {
            case 0:
                done = hand.kill_jail(id, Remains::nothing);
                break;
            case 1:
                done = hand.kill_jail(id, Remains::corpse);
                break;
            case 2:
                done = hand.kill_jail(id, Remains::dying);
                break;
            case 3:
                done = hand.kill_shim(id);
                break;
            case 4:
                done = hand.delete_link(id);
                break;
            case 5:
                done = hand.set_link_down(id);
                break;
            case 6:
                done = hand.delete_address(id);
                break;
            case 7:
                done = hand.delete_route(id);
                break;
            case 8:
                done = dice_.chance(0.5) ? hand.leave_bridge(id) : hand.kill_client(id);
                break;
            case 9:
                done = hand.unmount(id, target);
                break;
            case 10:
                done = hand.mount_extra(id, target == "root" ? "root/usr" : target);
                break;
            case 11:
                done = hand.flush_rules(network);
                break;
            case 12:
                done = hand.spoil_rules(network);
                break;
            case 13:
                done = dice_.chance(0.5) ? hand.delete_bridge(network) : hand.set_bridge_down(network);
                break;
            case 14:
                done = scene_.lose_hint(id);
                break;
            case 15:
                done = hand.set_hostname(id, "stranger");
                break;
            case 18:
                done = hand.remove_limits(jail.name.text());
                break;
            case 19:
                done =
                    hand.add_limit(jail.name.text(), {.resource = "nthr", .limit = {.amount = 7, .action = "devctl"}});
                break;
            case 20:
                done = hand.set_parameter(id, {"allow.raw_sockets", dice_.chance(0.5)});
                break;
            case 21:
                done = hand.flush_jail_rules(id);
                break;
            case 22:
                done = hand.spoil_jail_rules(id);
                break;
            case 23:
                done = hand.empty_groups(id);
                break;
            case 24:
                done = hand.delete_alias(id);
                break;
            case 25:
                done = hand.flip_isolation(id, static_cast<unsigned>(dice_.below(2)));
                break;
            case 26:
                done = scene_.fall_ill(id);
                if (done && dice_.chance(0.2)) scene_.recover(id);
                break;
            case 17:
                done = hand.give_name_back(jail.name.text()) || hand.take_name(jail.name.text());
                break;
            default:
                done = dice_.chance(0.5) ? hand.lower_forwarding() : hand.end_command(id, 5);
                break;
        }
        // A killed jail is made again; its command, run once, is not.
        if (done && (choice <= 3 || choice == 16)) {
            scene_.history(id).disturbed = true;
            const bool again = jail.spec.health && jail.spec.health->restart;
            if (again || jail.spec.restart.policy != model::RestartPolicy::no) scene_.history(id).may_start(jail.spec);
        }
        say(fmt::format("  hand {} on {} {}{}", choice, id.value, target, done ? "" : ": nothing there"));
    }

    /// Nothing else is wrong any more, and that has gone on for a while.
    std::vector<std::string> check_while_hung() {
        scene_.calm();
        scene_.clock().advance(kHangs);
        return rest("while calls hang", problems_while_hung);
    }

    std::vector<std::string> check(std::string_view when) {
        scene_.calm();
        scene_.let_all_go();
        return rest(when, problems);
    }

    /// Something is wrong with the network that does not pass by itself.
    std::vector<std::string> check_without_network() {
        const std::vector<std::string> points{"links.ensure_bridge", "links.remove_bridge", "firewall.list",
                                              "firewall.apply",      "firewall.apply_jail", "links.bridges"};
        scene_.calm();
        scene_.let_all_go();
        const auto& point = dice_.pick(points);
        scene_.kernel().faults().always(point, EPERM);
        return rest("while " + point + " fails", problems_without_network);
    }

    std::vector<std::string> rest(std::string_view when, std::vector<std::string> (*find)(Scene&)) {
        for (const auto* name : kNames) scene_.kernel().hand().give_name_back(name);
        const auto rounds = scene_.come_to_rest(care_);
        auto found = find(scene_);
        if (!rounds) found.push_back("never came to rest; last error: " + scene_.last_error());
        if (!found.empty()) found.insert(found.begin(), fmt::format("{}:", when));
        if (!found.empty()) say(scene_.kernel().describe());
        return found;
    }

    RunOptions options_;
    Dice dice_;
    const Scene::Care care_ = dice_.chance(0.5) ? Scene::Care::rounds : Scene::Care::resyncs;
    const Keeping keeping_ = dice_.chance(0.05) ? Keeping::on_disk : Keeping::in_memory;
    Scene scene_{{}, keeping_};
    bool full_ = false;
    std::int64_t written_ = 0;
};

}  // namespace

std::vector<std::string> random_run(const RunOptions& options) {
    try {
        return Run(options).play();
    } catch (const std::exception& problem) {
        return {std::string("the simulation itself failed: ") + problem.what()};
    }
}

}  // namespace jaild::simulation
