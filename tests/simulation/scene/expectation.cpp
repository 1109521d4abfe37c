#include "tests/simulation/scene/expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/ascii.h"
#include "core/kernel/memory/parameter_table.h"
#include "core/kernel/memory/ports.h"
#include "core/kernel/memory/programs.h"
#include "core/kernel/names.h"
#include "core/model/datasets.h"
#include "core/reconcile/applied_record.h"
#include "core/reconcile/compile_firewall.h"
#include "core/reconcile/effective.h"

namespace jaild::simulation {
namespace {

using kernel::CommandState;
using kernel::memory::JailLife;
using kernel::memory::Pair;
using kernel::memory::Prison;
using kernel::memory::State;

/// Collects what is wrong, each with the jail that it is about.
class Finder {
public:
    explicit Finder(Scene& scene) : scene_(scene), state_(scene.kernel().state()), networks_(scene.networks()) {}

    std::vector<std::string> all() {
        std::set<JailId> known;
        for (const auto& jail : scene_.jails()) {
            known.insert(jail.id);
            subject_ = fmt::format("jail {} ({})", jail.id.value, jail.name.text());
            check_jail(jail);
        }
        subject_ = "residue";
        check_residue(known);
        for (const auto& network : networks_) {
            subject_ = "network " + network.name.text();
            used_.contains(network.id) ? check_network(network) : check_no_network(network.id);
        }
        subject_ = "addresses";
        check_addresses();
        subject_ = "snapshots";
        check_snapshots();
        subject_ = "operations";
        check_operations();
        subject_ = "foreign";
        if (state_.foreign != kernel::memory::Foreign{}) fault("objects of somebody else were changed");
        check_rules();
        return std::move(found_);
    }

    std::vector<std::string> all_without_network() {
        for (const auto& jail : scene_.jails()) {
            subject_ = fmt::format("jail {} ({})", jail.id.value, jail.name.text());
            if (!asks_for_link(jail) && pairs(jail.id).empty()) check_jail(jail);
        }
        check_rules();
        return std::move(found_);
    }

    std::vector<std::string> all_while_hung() {
        const auto hung = scene_.hung();
        const auto jails = scene_.jails();
        const auto is_hung = [&](const model::Jail& jail) { return std::ranges::find(hung, jail.id) != hung.end(); };
        std::set<std::string> held_up;
        for (const auto& jail : jails)
            if (is_hung(jail) || waits_for_one_of(hung, jail)) held_up.insert(jail.name.key());
        for (std::size_t before = 0; std::exchange(before, held_up.size()) != held_up.size();)
            for (const auto& jail : jails)
                for (const auto& needed : jail.spec.depends_on)
                    if (held_up.contains(model::key_of(needed.jail))) held_up.insert(jail.name.key());
        for (const auto& jail : jails) {
            subject_ = fmt::format("while jails hang, jail {} ({})", jail.id.value, jail.name.text());
            if (is_hung(jail)) check_tells(jail);
            if (!held_up.contains(jail.name.key())) check_jail(jail);
        }
        check_rules();
        return std::move(found_);
    }

private:
    /// What a jail had is nobody else's until its round says that it is free.
    bool waits_for_one_of(const std::vector<JailId>& hung, const model::Jail& jail) const {
        const auto addresses = jail.addresses();
        return std::ranges::any_of(hung, [&](JailId id) {
            const auto made = scene_.made_with().find(id);
            if (made == scene_.made_with().end()) return false;
            for (const auto& given : made->second.spec.datasets)
                for (const auto& dataset : jail.spec.datasets)
                    if (model::overlap(given, dataset)) return true;
            for (const auto& interface : made->second.interfaces)
                for (const auto& one : interface.addresses)
                    if (std::ranges::find(addresses, one) != addresses.end()) return true;
            return false;
        });
    }

    /// What it is at, and for how long.
    void check_tells(const model::Jail& jail) {
        const auto status = scene_.reconciler().status(jail);
        const auto told = std::ranges::find(status.conditions, "StepTakesLong", &model::Condition::type);
        if (told == status.conditions.end())
            return fault(fmt::format("does not tell that {} hangs", scene_.hangs_in(jail.id)));
        demand(told->reason == "Hangs", "does not tell that it hangs: " + told->message);
    }

    void fault(std::string text) { found_.push_back(subject_ + ": " + std::move(text)); }
    void demand(bool condition, std::string_view text) {
        if (!condition) fault(std::string(text));
    }

    std::vector<Prison> prisons(JailId id) const {
        std::vector<Prison> mine;
        std::ranges::copy_if(state_.prisons, std::back_inserter(mine), [&](const Prison& one) { return one.id == id; });
        return mine;
    }
    std::vector<Pair> pairs(JailId id) const {
        std::vector<Pair> mine;
        std::ranges::copy_if(state_.pairs, std::back_inserter(mine),
                             [&](const Pair& one) { return one.owner.jail == id; });
        return mine;
    }
    const kernel::memory::Directory* directory(JailId id) const {
        const auto found = state_.directories.find(id);
        return found == state_.directories.end() ? nullptr : &found->second;
    }

    /// Those of our own code, and those of the scene.
    void check_rules() {
        for (const auto& violation : scene_.kernel().violations()) found_.push_back("violation: " + violation);
        for (const auto& offence : scene_.offences()) found_.push_back("offence: " + offence);
    }

    /// Rounds take five seconds, and each jail has its own between two looks at who is to go.
    bool is_over(const model::Jail& jail) {
        constexpr Milliseconds slack{60'000};
        if (jail.removing || jail.unpacking()) return false;
        if (jail.spec.ephemeral && !jail.spec.running) return true;
        return jail.spec.ttl.count() > 0 && jail.since + jail.spec.ttl + slack < scene_.clock().now().monotonic;
    }

    void check_jail(const model::Jail& jail) {
        if (jail.removing) fault("is still being removed");
        if (jail.root_change) fault("its root is still to change");
        if (is_over(jail)) fault("should have gone by itself");
        if (!jail.spec.running || jail.removing) {
            check_stopped(jail);
            check_status(jail);
            return;
        }
        if (scene_.waits(jail)) {
            check_waiting(jail);
            return;
        }
        // One that will have a link after its restart finds the network ready.
        note_used(jail.interfaces);
        for (const auto& pair : pairs(jail.id))
            if (pair.bridge != NetworkId{}) used_.insert(pair.bridge);
        const bool cannot_start =
            hopeless(jail.spec) || waits_for_address(scene_, jail) || waits_for_dataset(scene_, jail);
        // One that ran before it was changed goes on as it was made.
        const bool goes_on = scene_.reconciler().status(jail).state == model::JailState::running;
        if (cannot_start && !goes_on) {
            check_failed(jail);
            return;
        }
        check_running(jail);
        check_status(jail);
    }

    void note_used(const std::vector<model::AssignedInterface>& interfaces) {
        for (const auto& one : interfaces) used_.insert(one.network);
    }

    static bool asks_for_link(const model::Jail& jail) { return jail.spec.network.mode == model::NetworkMode::vnet; }

    void check_running(const model::Jail& jail) {
        const auto mine = prisons(jail.id);
        if (mine.size() != 1 || mine.front().life != JailLife::alive) {
            fault(fmt::format("does not run: {} objects", mine.size()));
            return;
        }
        const auto made = scene_.made_with().at(jail.id);
        const auto& prison = mine.front();
        const auto& hostname = jail.spec.hostname.empty() ? jail.name.text() : jail.spec.hostname;
        demand(prison.hostname == hostname, "has another hostname: " + prison.hostname);
        demand(prison.cpus == jail.spec.cpuset, "may run on other processors: " + prison.cpus);
        demand(prison.name == jail.name.text(), "has another name: " + prison.name);
        demand(made.hint_lost || prison.mode == made.spec.network.mode, "has another network mode");
        check_parameters(jail, made, prison);
        check_limits(jail);
        check_root(jail, made);
        check_spec_mounts(jail, made);
        check_hosts(jail, made);
        check_shim(jail, made);
        check_applied(jail);
        if (!prison.hint_lost) check_hooks(jail, made);
        check_health(jail);
        check_order(jail);
        if (prison.mode == model::NetworkMode::alias) check_aliases(jail, made, prison);
        if (made.spec.network.mode != model::NetworkMode::vnet) {
            // What was begun inside and never came out is seen by nobody, and goes with the jail.
            demand(!state_.jail_rules.contains(jail.id), "has rules without a network");
            demand(
                std::ranges::none_of(pairs(jail.id), [&](const Pair& one) { return one.taken_out || !made.hint_lost; }),
                "has a link without a network");
            return;
        }
        note_used(made.interfaces);
        check_links(jail.id, made);
        if (!made.hint_lost) check_firewall(jail);
    }

    /// What it was told of, what is written down of it and what the host has are the same.
    void check_aliases(const model::Jail& jail, const MadeWith& made, const Prison& prison) {
        std::set<IpAddress> told;
        for (const auto* name : {"ip4.addr", "ip6.addr"})
            if (const auto set = prison.parameters.find(name); set != prison.parameters.end())
                for (const auto& address : std::get<std::vector<IpAddress>>(set->second)) told.insert(address);
        std::set<IpAddress> given;
        const auto& aliases = state_.directories.at(jail.id).aliases;
        for (const auto& alias : aliases) {
            given.insert(alias.address.address);
            const auto& there = state_.host_addresses;
            demand(std::ranges::find(there, alias) != there.end(), "lacks " + alias.to_string());
        }
        demand(told == given, "was given other addresses than it was told of");
        if (made.hint_lost || jail.spec.network.mode != model::NetworkMode::alias) return;
        demand(std::ranges::is_permutation(aliases, reconcile::aliases_of(jail)), "has other addresses of the host");
    }

    /// Live ones are the row's; what is fixed at creation is as it was made.
    void check_parameters(const model::Jail& jail, const MadeWith& made, const Prison& prison) {
        for (const auto& [name, value] : jail.spec.parameters) {
            const auto known = expect(kernel::freebsd::known_parameter(name, kernel::memory::ask_parameter_type));
            const auto set = prison.parameters.find(known.name);
            const bool fixed = model::only_at_creation(name);
            if (fixed && (made.hint_lost || !made.spec.parameters.contains(name))) continue;
            const auto now = kernel::memory::shown(
                known, set == prison.parameters.end() ? std::nullopt : std::optional(set->second));
            demand(model::same_value(fixed ? made.spec.parameters.at(name) : value, now),
                   "has another value of the parameter " + name);
        }
        demand(made.hint_lost || prison.devfs_ruleset == made.spec.devfs_ruleset, "has another devfs ruleset");
        demand(made.hint_lost || prison.devices == made.spec.devices, "has other devices");
        const std::set<std::string> datasets(made.spec.datasets.begin(), made.spec.datasets.end());
        demand(made.hint_lost || prison.datasets == datasets, "has other datasets");
        for (const auto& dataset : prison.datasets)
            demand(state_.jailed_datasets.contains(dataset), "has a dataset that the host may mount: " + dataset);
    }

    /// A parameter that its row does not ask for any more.
    static bool has_old_parameter(const model::Jail& jail, const Prison& prison, bool had_datasets) {
        return std::ranges::any_of(prison.parameters, [&](const auto& set) {
            const bool address = set.first == "ip4.addr" || set.first == "ip6.addr";
            const bool of_datasets =
                set.first == "allow.mount" || set.first == "allow.mount.zfs" || set.first == "enforce_statfs";
            return !address && !(of_datasets && had_datasets) && !jail.spec.parameters.contains(set.first) &&
                   !jail.spec.parameters.contains(model::with_no(set.first));
        });
    }

    void check_limits(const model::Jail& jail) {
        const auto there = state_.limits.find(jail.name.text());
        auto rules = there == state_.limits.end() ? std::vector<model::LimitRule>{} : there->second;
        std::ranges::sort(rules);
        demand(rules == model::rules_of(jail.spec.limits), "has other limits");
    }

    /// As the others see it: what waits for a restart is not in force.
    model::Jail in_force(model::Jail jail) const {
        const auto made = scene_.made_with().find(jail.id);
        const auto alive = prisons(jail.id);
        const bool runs = std::ranges::any_of(alive, [](const Prison& one) { return one.life == JailLife::alive; });
        if (!runs || made == scene_.made_with().end() || made->second.hint_lost) return jail;
        jail.spec.network = made->second.spec.network;
        jail.interfaces = made->second.interfaces;
        if (std::ranges::any_of(jail.spec.network.interfaces, &model::InterfaceSpec::learns_any)) {
            jail.spec.publish = made->second.spec.publish;
            jail.spec.firewall = made->second.spec.firewall;
        }
        return jail;
    }

    void check_firewall(const model::Jail& jail) {
        reconcile::Residents all;
        for (const auto& one : scene_.jails()) all.emplace(one.id, reconcile::resident(in_force(one), networks_));
        const auto wanted = reconcile::compile_firewall(all.at(jail.id), all, networks_);
        const auto loaded = state_.jail_rules.find(jail.id);
        demand(loaded != state_.jail_rules.end() && !loaded->second.spoiled && loaded->second.rules == wanted,
               "has other rules: " +
                   (loaded == state_.jail_rules.end() ? "none" : kernel::memory::describe(loaded->second.rules)) +
                   "instead of\n" + kernel::memory::describe(wanted));
    }

    void check_root(const model::Jail& jail, const MadeWith& made) {
        const auto* held = directory(jail.id);
        demand(held && held->prepared, "runs without a prepared root");
        demand(!held || held->etc || held->root.kind == model::RootKind::path, "runs in a root that is half made");
        for (const auto& wanted : kernel::memory::mounts_for(made.spec.root)) {
            const auto top = std::find_if(state_.mounts.rbegin(), state_.mounts.rend(), [&](const auto& one) {
                return one.id == jail.id && one.mount.target == wanted.target;
            });
            demand(top != state_.mounts.rend(), "has nothing mounted at " + wanted.target);
            if (top != state_.mounts.rend()) {
                demand(top->mount.read_only || !wanted.read_only, "can write to " + wanted.target);
            }
        }
    }

    /// Those of its spec, and none that was of it before.
    void check_spec_mounts(const model::Jail& jail, const MadeWith& made) {
        const auto wanted = kernel::mounts_of(jail.spec.mounts, kernel::RootOwner::user);
        for (const auto& mount : wanted)
            demand(mounted(jail.id, mount.target) == 1,
                   fmt::format("has {} mounts at {}", mounted(jail.id, mount.target), mount.target));
        for (const auto& one : state_.mounts) {
            if (one.id != jail.id || !one.mount.of_spec || made.hint_lost) continue;
            demand(std::ranges::find(wanted, one.mount.target, &kernel::Mount::target) != wanted.end(),
                   one.mount.target + " is mounted, and nobody asks for it");
        }
    }

    std::ptrdiff_t mounted(JailId id, const std::string& target) const {
        return std::ranges::count_if(state_.mounts, [&](const kernel::memory::MountPoint& one) {
            return one.id == id && one.mount.target == target;
        });
    }

    /// It finds every other jail by name, and none that is gone.
    void check_hosts(const model::Jail& jail, const MadeWith& made) {
        if (!asks_for_link(jail) || made.spec.root.kind == model::RootKind::path) return;
        std::set<std::string> expected;
        std::set<NetworkId> shared;
        // One that has none of our addresses there is in nobody's book, and has none itself (docs/networks.md).
        for (const auto& interface : jail.interfaces)
            if (!interface.addresses.empty() && !network(interface.network)->isolated) shared.insert(interface.network);
        for (const auto& other : scene_.jails())
            for (const auto& interface : other.interfaces)
                for (const auto& one : interface.addresses)
                    if (other.id != jail.id && shared.contains(interface.network))
                        expected.insert(fmt::format("{0} {1} {1}.{2}.jaild", one.address.to_string(), other.name.text(),
                                                    network(interface.network)->name.text()));
        std::set<std::string> known;
        if (const auto* held = directory(jail.id))
            for (const auto& one : held->neighbours)
                known.insert(fmt::format("{} {}", one.address.to_string(), fmt::join(one.names, " ")));
        demand(known == expected, fmt::format("finds {} by name", fmt::join(known, ", ")));
    }

    void check_shim(const model::Jail& jail, const MadeWith& made) {
        const auto* held = directory(jail.id);
        if (!held || !held->shim.alive) {
            fault("has no shim");
            return;
        }
        const auto& shim = held->shim;
        const auto& history = scene_.history(jail.id);
        demand(made.hint_lost || shim.start_done == !made.spec.exec.start.empty(),
               "exec.start was not run, or should not have been");
        // One whose start fails behind its command is tried again; it runs if a lost hint hides that.
        demand(hopeless(jail.spec) || hopeless(made.spec) || shim.commands_started <= history.starts_asked,
               fmt::format("its command was started {} times, {} were asked for", shim.commands_started,
                           history.starts_asked));
        if (made.spec.is_system()) {
            const bool ends = jail.spec.restart.policy == model::RestartPolicy::no || history.disturbed ||
                              history.new_policy || made.hint_lost;
            demand(shim.command == CommandState::running || is_given_up(jail) || ends,
                   "nobody is left in it, and it is not made again");
            return;
        }
        if (made.spec.command.empty()) {
            demand(made.hint_lost || shim.command == CommandState::none, "has a command that nobody asked for");
            return;
        }
        using kernel::memory::Behaviour;
        const auto how = kernel::memory::outcome({.argv = made.spec.command, .environment = {}}).behaviour;
        const bool lasts = how != Behaviour::ends && how != Behaviour::missing;
        const bool restarts = jail.spec.restart.policy != model::RestartPolicy::no;
        // An earlier command of this incarnation may have ended as its policy leaves it.
        const bool left = jail.spec.restart.policy == model::RestartPolicy::on_failure && shim.last_exit &&
                          shim.last_exit->exit_code == 0;
        if (restarts && lasts && !left && !history.new_policy && !made.hint_lost) {
            demand(shim.command == CommandState::running || is_given_up(jail),
                   "its command is not run again, and its retries are not spent");
        } else if (!history.disturbed && !history.new_policy && !(restarts && left)) {
            demand(shim.command == (lasts ? CommandState::running : CommandState::exited),
                   "its command is not as it should be");
        }
    }

    /// Nobody who is healthy is restarted for his health, and nobody twice for one illness.
    void check_health(const model::Jail& jail) {
        // One that was broken off is told of twice.
        std::set<std::string> remade;
        for (const auto& event : scene_.events()) {
            if (to_lower(event.jail) != jail.name.key() || event.type != "command.restarted") continue;
            const auto after = nlohmann::json::parse(event.data).at("after");
            if (after.at("reason") == model::kUnhealthy) remade.insert(after.at("at").get<std::string>());
        }
        const auto ill = scene_.illnesses(jail.name);
        demand(remade.size() <= ill, fmt::format("was restarted {} times, and was ill {} times", remade.size(), ill));
        const auto status = scene_.reconciler().status(jail);
        demand(!status.health || jail.spec.health, "has health, and no probe");
    }

    /// It was made after those after which it is to be.
    void check_order(const model::Jail& jail) {
        const auto mine = prisons(jail.id);
        const auto* held = directory(jail.id);
        if (mine.size() != 1 || !held || !held->applied) return;
        // Only its hint knew.
        if (const auto known = scene_.made_with().find(jail.id);
            known != scene_.made_with().end() && known->second.hint_lost)
            return;
        const auto made = reconcile::decode(held->applied->spec);
        if (!made) return;
        for (const auto& needed : jail.spec.depends_on) {
            const auto known = made->lives.find(model::key_of(needed.jail));
            if (needed.on_death != model::OnDeath::restart || known == made->lives.end()) continue;
            for (const auto& other : scene_.jails()) {
                if (other.name.key() != known->first || !is_up(other, needed.condition)) continue;
                const auto its = prisons(other.id);
                demand(its.size() == 1 && its.front().jid == known->second && its.front().jid < mine.front().jid,
                       "was not made anew after " + needed.jail);
            }
        }
    }

    bool is_up(const model::Jail& jail, model::DependencyCondition condition) {
        const auto status = scene_.reconciler().status(jail);
        if (status.state != model::JailState::running) return false;
        const bool well = !jail.spec.health || (status.health && status.health->state == model::HealthState::healthy);
        return well || condition == model::DependencyCondition::started;
    }

    void check_applied(const model::Jail& jail) {
        const auto* held = directory(jail.id);
        if (!held || !held->applied) {
            fault("has no record of what was applied");
            return;
        }
        demand(held->applied->complete, "is recorded as begun only");
        demand(held->applied->generation == jail.generation, "is recorded with another generation");
        demand(held->applied->incarnation == jail.incarnation, "is recorded with another incarnation");
    }

    void check_links(JailId id, const MadeWith& made) {
        auto mine = pairs(id);
        if (mine.size() != made.interfaces.size()) {
            fault(fmt::format("has {} links", mine.size()));
            return;
        }
        std::ranges::sort(mine, {}, &Pair::owner);
        for (unsigned index = 0; index < mine.size(); ++index)
            check_link(mine[index], {.jail = id, .index = index}, made);
        check_routes(mine);
    }

    /// Of each family one, by the first interface that has an address of it.
    void check_routes(const std::vector<Pair>& links) {
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            const auto has = [&](const Prefix& one) { return one.address.family == family; };
            bool routed = false;
            for (const auto& link : links) {
                const bool due = !routed && std::ranges::any_of(link.addresses, has);
                const auto found = std::ranges::count(link.gateways, family, &IpAddress::family);
                demand(found == (due ? 1 : 0), due ? "lacks a default route" : "has a default route too many");
                routed = routed || due;
            }
        }
    }

    const model::Network* network(NetworkId id) const {
        const auto found = std::ranges::find(networks_, id, &model::Network::id);
        return found == networks_.end() ? nullptr : &*found;
    }

    void check_link(const Pair& link, LinkId id, const MadeWith& made) {
        const auto& instance = scene_.kernel_instance();
        demand(link.owner == id, fmt::format("has no link {}", id.index));
        demand(link.taken_out && link.jid == made.jid, "has a link that is not whole");
        demand(link.host_name == kernel::pair_name(instance, id, kernel::PairEnd::host), "host end: " + link.host_name);
        const auto& asked = made.spec.network.interfaces.at(id.index);
        demand(link.jail_name == asked.name_at(id.index), "jail end: " + link.jail_name);
        demand(link.jail_mac == asked.mac, "has another MAC address");
        demand(link.jail_mtu == (asked.mtu == 0 ? link.mtu : asked.mtu), "has another MTU inside");
        demand(link.host_mark == kernel::jail_mark(instance, id.jail), "has a link without our mark");
        demand(link.host_up && link.jail_up, "has a link that is down");
        demand(link.bridge == made.interfaces[id.index].network, "has a link that is not on its bridge");
        const auto* on = network(link.bridge);
        if (!on) return fault("has a link on a network that is gone");
        demand(link.isolated == on->isolated, "has a link that others reach as they should not, or not");
        demand(link.mtu == on->mtu, "has a link with another MTU than its network's");
        auto given = link.addresses;
        const auto learned = std::erase_if(given, [&](const Prefix& one) { return asked.learns(one.address.family); });
        demand(std::ranges::is_permutation(given, made.interfaces[id.index].addresses), "has other addresses");
        demand(learned == (asked.slaac ? 1U : 0U) + (asked.dhcp ? 1U : 0U), "has not learned its addresses");
    }

    void check_stopped(const model::Jail& jail) {
        demand(prisons(jail.id).empty(), "runs, or something of it is left");
        demand(pairs(jail.id).empty(), "is stopped and has a link");
        demand(std::ranges::find(state_.mounts, jail.id, &kernel::memory::MountPoint::id) == state_.mounts.end(),
               "is stopped and has mounts");
        const auto* held = directory(jail.id);
        demand(!held || !held->shim.alive, "is stopped and has a shim");
        demand(!held || held->hooks_begun.empty(), "is stopped, and its poststop did not run");
        demand(!state_.limits.contains(jail.name.text()), "is stopped and has limits");
        demand(!state_.jail_rules.contains(jail.id), "is stopped and has packet filter rules");
        demand(!held || held->aliases.empty(), "is stopped and has addresses of the host");
    }

    /// Nothing of it runs, and it says why. Its network is ready.
    void check_waiting(const model::Jail& jail) {
        note_used(jail.interfaces);
        demand(prisons(jail.id).empty() && pairs(jail.id).empty(), "runs, though it waits");
        const auto status = scene_.reconciler().status(jail);
        demand(status.state == model::JailState::starting,
               fmt::format("waits, and its status says {}", model::to_string(status.state)));
        demand(std::ranges::any_of(status.conditions,
                                   [](const auto& one) { return one.message.starts_with("waits for "); }),
               "waits, and no condition says for whom");
    }

    /// The host was told of this life of the jail, once at least; and of its end, as the kernel sees to.
    void check_hooks(const model::Jail& jail, const MadeWith& made) {
        if (made.hint_lost || made.spec.exec.hooks.empty()) return;
        const auto& begun = directory(jail.id)->hooks_begun;
        for (const auto hook : {model::Hook::prestart, model::Hook::created, model::Hook::poststart})
            demand(begun.contains(hook), fmt::format("runs without its {}", model::to_string(hook)));
    }

    void check_failed(const model::Jail& jail) {
        const auto status = scene_.reconciler().status(jail);
        demand(status.state == model::JailState::failed,
               fmt::format("cannot start, and its status says {}", model::to_string(status.state)));
        demand(!status.conditions.empty(), "cannot start, and no condition says why");
    }

    /// Its command ended, or its probes failed, and it was run again as often as it may be.
    bool is_given_up(const model::Jail& jail) {
        const auto* held = directory(jail.id);
        if (!held || jail.spec.restart.max_retries == 0) return false;
        const auto status = scene_.reconciler().status(jail);
        return std::ranges::any_of(status.conditions,
                                   [](const model::Condition& one) { return one.type == "RetriesSpent"; });
    }

    void check_status(const model::Jail& jail) {
        const auto status = scene_.reconciler().status(jail);
        const bool runs = jail.spec.running && !jail.removing;
        const auto up = is_given_up(jail) ? model::JailState::failed : model::JailState::running;
        demand(status.state == (runs ? up : model::JailState::stopped),
               fmt::format("its status says {}", model::to_string(status.state)));
        demand(status.observed_generation == jail.generation, "its status is about another generation");
        const auto made = scene_.made_with().find(jail.id);
        if (!runs || made == scene_.made_with().end()) return;
        const auto alive = prisons(jail.id);
        const bool old_parameter = !made->second.hint_lost && !alive.empty() &&
                                   has_old_parameter(jail, alive.front(), !made->second.spec.datasets.empty());
        const bool waits = !model::restart_fields_changed(made->second.spec, jail.spec).empty() ||
                           made->second.interfaces != jail.interfaces || old_parameter;
        const auto said = std::ranges::find_if(
            status.conditions, [](const model::Condition& one) { return one.type == "RestartRequired" && one.status; });
        const bool says = said != status.conditions.end();
        // It may say so of a parameter that was about to be set when the daemon died.
        const bool may = says && said->message.find("/parameters/") != std::string::npos;
        demand(waits == says || (may && !waits),
               waits ? "does not say that it needs a restart" : "says that it needs a restart");
        auto plan = scene_.reconciler().plan_now(jail);
        demand(plan && plan->empty(), "has a plan although it is settled");
    }

    void check_residue(const std::set<JailId>& known) {
        const auto demand_known = [&](JailId id, std::string_view what) {
            demand(known.contains(id), fmt::format("{} of jail {}, which nobody knows", what, id.value));
        };
        for (const auto& one : state_.prisons) demand_known(one.id, "a jail");
        for (const auto& one : state_.pairs) demand_known(one.owner.jail, "a link");
        for (const auto& one : state_.mounts) demand_known(one.id, "a mount");
        for (const auto& [id, held] : state_.directories) demand_known(id, "a directory");
        for (const auto& alias : state_.host_addresses) {
            const auto holds = [&](const auto& entry) {
                return std::ranges::find(entry.second.aliases, alias) != entry.second.aliases.end();
            };
            demand(std::ranges::any_of(state_.directories, holds), alias.to_string() + " is nobody's");
        }
        for (const auto& [id, loaded] : state_.jail_rules) demand_known(id, "packet filter rules");
        std::set<std::string> names;
        for (const auto& jail : scene_.jails()) names.insert(jail.name.text());
        for (const auto& [name, rules] : state_.limits)
            demand(names.contains(name), "limits of " + name + ", which nobody knows");
        for (const auto& bridge : state_.bridges) {
            const auto is_its = [&](const model::Network& one) { return mark_of(one.id) == bridge.mark; };
            demand(std::ranges::any_of(networks_, is_its), bridge.name + " is of no network");
        }
        for (const auto& [id, loaded] : state_.rules)
            demand(network(id), fmt::format("rules of network {}, which nobody knows", id.value));
    }

    std::string mark_of(NetworkId id) const { return kernel::network_mark(scene_.kernel_instance(), id); }

    void check_network(const model::Network& network) {
        const auto bridges = std::ranges::count(state_.bridges, mark_of(network.id), &kernel::memory::Bridge::mark);
        if (bridges == 1) {
            const auto& bridge = *std::ranges::find(state_.bridges, mark_of(network.id), &kernel::memory::Bridge::mark);
            const auto addresses = network.bridge_addresses();
            demand(bridge.up && bridge.addresses == addresses && bridge.mtu == network.mtu, "bridge is not configured");
        } else {
            fault(fmt::format("is used and has {} bridges", bridges));
        }
        const auto rules = state_.rules.find(network.id);
        demand(rules != state_.rules.end() && !rules->second.spoiled, "has no rules, or not all");
        if (rules != state_.rules.end())
            demand(rules->second.network.ipv4 == network.ipv4 && rules->second.network.ipv6 == network.ipv6 &&
                       rules->second.network.nat == network.nat && rules->second.network.isolated == network.isolated,
                   "has the rules that it had before it was changed");
        demand((!network.ipv4 || state_.forwarding4) && (!network.ipv6 || state_.forwarding6), "does not forward");
    }

    void check_no_network(NetworkId id) {
        demand(std::ranges::find(state_.bridges, mark_of(id), &kernel::memory::Bridge::mark) == state_.bridges.end(),
               "has a bridge that nobody uses");
        demand(!state_.rules.contains(id), "has rules that nobody needs");
    }

    void check_addresses() {
        std::set<IpAddress> seen;
        for (const auto& pair : state_.pairs) {
            for (const auto& one : pair.addresses) {
                demand(seen.insert(one.address).second, one.address.to_string() + " is used twice");
            }
        }
        seen.clear();
        for (const auto& jail : scene_.jails()) {
            for (const auto& one : jail.addresses()) {
                demand(seen.insert(one.address).second, one.address.to_string() + " is assigned twice");
            }
        }
    }

    void check_snapshots() {
        std::set<std::pair<JailId, SnapshotId>> rows;
        for (const auto& one : scene_.snapshots()) {
            rows.insert({one.jail, one.id});
            const auto* held = directory(one.jail);
            const bool whole = held && held->snapshots.contains(one.id) && held->snapshots.at(one.id).whole;
            demand(whole && one.state == model::SnapshotState::ready, one.reference() + " is not whole");
        }
        for (const auto& [jail, held] : state_.directories) {
            demand(!held.restored, fmt::format("jail {}: what was to become a root is left", jail.value));
            for (const auto& [id, copy] : held.snapshots)
                demand(rows.contains({jail, id}), fmt::format("{} has no row", id.value));
        }
    }

    void check_operations() {
        for (const auto& one : scene_.operations()) {
            const auto row = scene_.jail(one.jail);
            if (row && scene_.waits(*row)) continue;
            demand(one.state != model::OperationState::running,
                   fmt::format("{} of {} at generation {} never ended", one.kind, one.jail_name, one.generation));
        }
    }

    Scene& scene_;
    const State state_;
    const std::vector<model::Network> networks_;
    std::set<NetworkId> used_;  ///< by jails that were checked
    std::string subject_;
    std::vector<std::string> found_;
};

}  // namespace

bool waits_for_address(Scene& scene, const model::Jail& jail) {
    const auto addresses = jail.addresses();
    const auto state = scene.kernel().state();
    for (const auto& alias : reconcile::aliases_of(jail))
        for (const auto& [id, held] : state.directories)
            for (const auto& given : held.aliases)
                if (id != jail.id && given.address.address == alias.address.address) return true;
    for (const auto& pair : scene.kernel().state().pairs) {
        if (pair.owner.jail == jail.id) continue;
        for (const auto& used : pair.addresses) {
            if (std::ranges::find(addresses, used) != addresses.end()) return true;
        }
    }
    return false;
}

bool waits_for_dataset(Scene& scene, const model::Jail& jail) {
    for (const auto& prison : scene.kernel().state().prisons) {
        if (prison.id == jail.id || prison.life != JailLife::alive) continue;
        for (const auto& given : prison.datasets)
            for (const auto& dataset : jail.spec.datasets)
                if (model::overlap(given, dataset)) return true;
    }
    return false;
}

bool hopeless(const model::JailSpec& spec) {
    const auto fails = [](const std::vector<std::string>& argv) {
        const auto end = kernel::memory::outcome({.argv = argv, .environment = {}});
        return end.behaviour != kernel::memory::Behaviour::ends || end.exit_code != 0;
    };
    for (const auto& [hook, argv] : spec.exec.hooks)
        if (model::is_of_start(hook) && fails(argv)) return true;
    return !spec.exec.start.empty() && fails(spec.exec.start);
}

std::vector<std::string> problems(Scene& scene) {
    return Finder(scene).all();
}

std::vector<std::string> problems_while_hung(Scene& scene) {
    return Finder(scene).all_while_hung();
}

std::vector<std::string> problems_without_network(Scene& scene) {
    return Finder(scene).all_without_network();
}

}  // namespace jaild::simulation
