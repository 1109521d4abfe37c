#include "core/reconcile/effective.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include "core/kernel/names.h"
#include "core/model/datasets.h"

namespace jaild::reconcile {
namespace {

bool current_incarnation(const model::Jail& jail, const Observed& observed) {
    // Greater ones exist after a restored backup of the database: the jail is newer than its row, so it stays.
    return observed.applied.incarnation >= jail.incarnation;
}

/// A hint is written a few times in a jail's life, and read at every look at it. Thread-safe.
class Decoded {
public:
    /// nullptr: it cannot be read.
    std::shared_ptr<const MadeWith> get(const std::string& text) {
        const std::lock_guard lock(mutex_);
        const auto found = known_.find(text);
        if (found != known_.end()) return found->second;
        if (known_.size() >= kMostRemembered) known_.clear();
        auto made = decode(text);
        return known_[text] = made ? std::make_shared<const MadeWith>(*std::move(made)) : nullptr;
    }

private:
    static constexpr std::size_t kMostRemembered = 4096;
    std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<const MadeWith>> known_;
};

std::shared_ptr<const MadeWith> made_with(const Observed& observed) {
    static Decoded decoded;
    return observed.applied.spec.empty() ? nullptr : decoded.get(observed.applied.spec);
}

bool shares_stack(const model::NetworkSpec& network) {
    return network.mode == model::NetworkMode::inherit || network.mode == model::NetworkMode::alias;
}

/// The fields that a running jail takes at once, from `row`; everything else as it was made.
model::JailSpec with_live_fields(model::JailSpec made, const model::JailSpec& row) {
    if (model::addresses_are_live(made, row)) made.network.interfaces = row.network.interfaces;
    made.running = row.running;
    made.hostname = row.hostname;
    made.labels = row.labels;
    // Rules are by addresses: they wait with the interfaces that will have some of ours.
    const bool known = std::ranges::none_of(made.network.interfaces, &model::InterfaceSpec::learns_any);
    if (known) {
        made.publish = made.network.mode == model::NetworkMode::vnet ? row.publish : std::vector<model::Publish>{};
        made.firewall = shares_stack(made.network) ? model::FirewallSpec{} : row.firewall;
    }
    made.limits = row.limits;
    made.cpuset = row.cpuset;
    made.root.storage = row.root.storage;
    made.mounts = model::running_mounts(made.mounts, row.mounts);
    made.parameters = model::running_parameters(made.parameters, row.parameters);
    made.exec.stop = row.exec.stop;
    made.exec.timeout = row.exec.timeout;
    for (const auto hook : {model::Hook::prestop, model::Hook::poststop}) {
        made.exec.hooks.erase(hook);
        if (const auto now = row.exec.hooks.find(hook); now != row.exec.hooks.end()) made.exec.hooks.insert(*now);
    }
    made.restart = row.restart;
    made.health = row.health;
    made.depends_on = row.depends_on;
    made.ephemeral = row.ephemeral;
    made.ttl = row.ttl;
    made.priority = row.priority;
    return made;
}

bool asks_for_another(const model::Jail& jail, const MadeWith& made) {
    return !model::restart_fields_changed(made.spec, jail.spec).empty();
}

/// What the interface learns of a family, to be said; nullptr: its addresses are ours to give.
kernel::Learns* learned(const model::Jail& jail, unsigned index, Family family, kernel::LinkParameters& link) {
    const auto& asked = jail.spec.network.interfaces;
    if (index >= asked.size() || !asked[index].learns(family)) return nullptr;
    return family == Family::ipv4 ? &link.dhcp : &link.slaac;
}

kernel::HookLife hooks_of(const model::Jail& jail, const Observed& observed, bool complete) {
    using enum kernel::HookLife;
    if (!complete && hooks_are_due(jail, observed) && !start_goes_on(jail, observed)) return ending;
    return jail.spec.exec.hooks.empty() ? none : begun;
}

/// A start by the restart policy is counted where it begins.
kernel::Applied record(const model::Jail& jail, const Observed& observed, bool complete) {
    auto restarts = restarts_of(jail, observed);
    const auto ended = complete ? std::nullopt : ended_command(jail, observed);
    const auto made = current_incarnation(jail, observed) ? made_with(observed) : nullptr;
    const bool moved = !observed.applied.complete && made && made->interfaces != jail.interfaces;
    const bool ends = (ended && ended->exit.reason == model::kUnhealthy) || moved;
    if (ended && ended->answer == Answer::restart) restarts = counted(jail.spec.restart, ended->before, ended->exit);
    return {.generation = jail.generation,
            .incarnation = jail.incarnation,
            .complete = complete,
            .spec = encode({.spec = jail.spec,
                            .interfaces = jail.interfaces,
                            .command_spent = command_spent(jail, observed),
                            .restarts = std::move(restarts),
                            .ending = !complete && alive(observed) && (ends || (made && made->ending)),
                            .lives = alive(observed) && made ? made->lives : observed.lives}),
            .hooks = hooks_of(jail, observed, complete),
            .name = jail.name.text()};
}

/// How a jail has its network, as the kernel and the addresses that it was given say; nothing of its interfaces in a
/// network stack of its own.
model::NetworkSpec network_seen(const Observed& observed) {
    model::NetworkSpec network{.mode = model::NetworkMode::none, .interfaces = {}, .nameservers = {}, .search = {}};
    if (observed.jail->vnet) return network;
    network.mode = observed.aliases.empty() ? model::NetworkMode::inherit : model::NetworkMode::alias;
    for (const auto& [alias, present] : observed.aliases) {
        auto found = std::ranges::find(network.interfaces, alias.interface, &model::InterfaceSpec::interface);
        if (found == network.interfaces.end())
            found = network.interfaces.insert(
                found, {.network = {}, .interface = alias.interface, .addresses = {}, .mac = {}, .name = {}});
        found->addresses.push_back(alias.address);
    }
    return network;
}

/// Whose network stack a jail has is fixed at its creation. When no hint says what it was made with, the kernel does:
/// the jail keeps that stack, without a link, until it is made again.
Effective held_to_stack(const model::Jail& row, const Observed& observed) {
    using enum model::NetworkMode;
    Effective result{.jail = row, .waiting = {}};
    const auto asked = row.spec.network.mode;
    auto seen = network_seen(observed);
    if (seen.mode == none ? asked == vnet || asked == none : asked == seen.mode) return result;
    auto& spec = result.jail.spec;
    seen.nameservers = spec.network.nameservers;
    seen.search = spec.network.search;
    spec.network = std::move(seen);
    spec = with_live_fields(std::move(spec), row.spec);
    result.jail.interfaces.clear();
    result.waiting = {"/network/interfaces", "/network/mode"};
    return result;
}

}  // namespace

bool wanted(const model::Jail& jail) {
    return jail.spec.running && !jail.removing;
}

bool alive(const Observed& observed) {
    return observed.jail && observed.jail->alive;
}

std::int64_t life_of(const Observed& observed) {
    if (!alive(observed)) return 0;
    return observed.jail->jid != 0 ? observed.jail->jid : observed.jail->pid;
}

bool shim_alive(const Observed& observed) {
    return observed.shim && observed.shim->alive;
}

bool hint_is_lost(const Observed& observed) {
    return observed.applied == kernel::Applied{};
}

Effective effective(const model::Jail& row, const Observed& observed) {
    if (alive(observed) && hint_is_lost(observed)) return held_to_stack(row, observed);
    Effective result{.jail = row, .waiting = {}};
    if (!alive(observed) || !observed.applied.complete || !current_incarnation(row, observed)) return result;
    // A hint that cannot be read says nothing against the jail that runs: it is taken for what the row asks.
    const auto made = made_with(observed);
    if (!made) return result;

    result.waiting = model::restart_fields_changed(made->spec, row.spec);
    if (!result.waiting.empty()) result.jail.spec = with_live_fields(made->spec, row.spec);
    if (made->interfaces != row.interfaces) {
        result.jail.interfaces = made->interfaces;
        if (result.waiting.empty()) result.waiting.emplace_back("/network/interfaces");
    }
    std::ranges::sort(result.waiting);
    return result;
}

Situation situation(const model::Jail& jail, const Observed& observed) {
    const bool outdated = !current_incarnation(jail, observed);
    if (alive(observed)) {
        // No reason to kill what runs: it is taken for what the row asks.
        if (hint_is_lost(observed) && shim_alive(observed)) return Situation::continues;
        if (outdated) return Situation::anew;
        if (!shim_alive(observed)) return Situation::remade;
        if (observed.applied.complete) return Situation::continues;
        const auto made = made_with(observed);
        if (made && asks_for_another(jail, *made)) return Situation::anew;
        // Its addresses are given by a network, which may have changed: nobody asked for another start.
        return made && made->interfaces != jail.interfaces ? Situation::remade : Situation::continues;
    }
    // A dying jail needs nothing of ours any more and does not block its name (FreeBSD 14 and later).
    const bool remains = observed.jail && !observed.jail->dying;
    const bool orphans =
        !observed.links.empty() || (shim_alive(observed) && observed.shim->command == kernel::CommandState::running);
    if (!remains && !orphans) return Situation::absent;
    return outdated ? Situation::anew : Situation::remade;
}

std::optional<EndedCommand> ended_command(const model::Jail& jail, const Observed& observed) {
    if (!wanted(jail) || jail.root_change) return std::nullopt;
    if (!observed.applied.complete || !current_incarnation(jail, observed)) return std::nullopt;
    const auto& shim = observed.shim;
    const bool exited = shim && shim->command == kernel::CommandState::exited && shim->last_exit;
    const bool sick =
        observed.unhealthy && may_be_remade(jail.spec) && situation(jail, observed) == Situation::continues;
    EndedCommand ended{.exit = {}, .before = restarts_of(jail, observed)};
    if (exited && jail.spec.is_supervised()) {
        ended.exit = *shim->last_exit;
        ended.answer = answer_to(jail.spec.restart, ended.before, ended.exit);
    }
    // A system jail that may be empty lives on all the same.
    const bool lives_on = !exited || (jail.spec.command.empty() && ended.answer == Answer::leave);
    if (sick && lives_on) {
        ended.exit = *observed.unhealthy;
        ended.answer = answer_to(jail.spec.restart, ended.before, ended.exit);
    } else if (!exited || !jail.spec.is_supervised()) {
        return std::nullopt;
    }
    if (ended.answer == Answer::give_up && situation(jail, observed) != Situation::continues) {
        ended.before = {.count = ended.before.count};
        ended.answer = Answer::restart;
    }
    return ended;
}

bool is_restarting(const model::Jail& jail, const Observed& observed) {
    const auto& shim = observed.shim;
    const auto made = current_incarnation(jail, observed) ? made_with(observed) : nullptr;
    if (!observed.applied.complete && made && made->ending) return true;
    if (observed.applied.complete || !shim || shim->command != kernel::CommandState::exited || !shim->last_exit)
        return false;
    // Two ends differ, in their time if in nothing else.
    const auto restarts = restarts_of(jail, observed);
    return !restarts.exits.empty() && restarts.exits.back() == *shim->last_exit;
}

std::optional<std::string> left_behind(const model::Jail& jail, const Observed& observed) {
    if (!wanted(jail) || jail.root_change || !observed.applied.complete) return std::nullopt;
    const auto made = current_incarnation(jail, observed) ? made_with(observed) : nullptr;
    if (!made || situation(jail, observed) != Situation::continues) return std::nullopt;
    for (const auto& one : jail.spec.depends_on) {
        if (one.on_death != model::OnDeath::restart) continue;
        const auto key = model::key_of(one.jail);
        const auto then = made->lives.find(key);
        const auto now = observed.lives.find(key);
        if (then != made->lives.end() && now != observed.lives.end() && then->second != now->second) return one.jail;
    }
    return std::nullopt;
}

Restarts restarts_of(const model::Jail& jail, const Observed& observed) {
    const auto made = current_incarnation(jail, observed) ? made_with(observed) : nullptr;
    return made ? made->restarts : Restarts{};
}

bool command_spent(const model::Jail& jail, const Observed& observed) {
    if (jail.spec.is_system()) return false;
    if (!current_incarnation(jail, observed)) return false;
    const auto made = made_with(observed);
    if (made && made->command_spent) return true;
    // In a jail that continues, the shim's state is about the life that goes on.
    const Situation now = situation(jail, observed);
    if (now == Situation::continues || now == Situation::anew) return false;
    if (jail.spec.restart.policy != model::RestartPolicy::no || may_be_remade(jail.spec)) {
        const auto ended = ended_command(jail, observed);
        return ended && ended->answer != Answer::restart;
    }
    const bool whole = observed.applied.complete && made && !made->spec.command.empty();
    return whole || (observed.shim && observed.shim->command != kernel::CommandState::none);
}

bool hooks_are_due(const model::Jail& jail, const Observed& observed) {
    return observed.applied.hooks != kernel::HookLife::none || (alive(observed) && !jail.spec.exec.hooks.empty());
}

bool start_goes_on(const model::Jail& jail, const Observed& observed) {
    if (observed.applied.hooks != kernel::HookLife::begun || observed.applied.complete) return false;
    if (!current_incarnation(jail, observed) || !shim_alive(observed)) return false;
    const auto& shim = *observed.shim;
    const bool only_begun = shim.command == kernel::CommandState::none && !shim.start_done &&
                            shim.hooks_done.size() == shim.hooks_done.count(model::Hook::prestart);
    return only_begun && situation(jail, observed) == Situation::absent;
}

kernel::Applied stopped_record(const model::Jail& jail, const Observed& observed) {
    using enum kernel::HookLife;
    return {.generation = 0,
            .incarnation = 0,
            .complete = false,
            .spec = "stopped",
            .hooks = hooks_are_due(jail, observed) ? ending : none,
            .name = jail.name.text()};
}

kernel::Applied begun_record(const model::Jail& jail, const Observed& observed) {
    return record(jail, observed, false);
}

kernel::Applied done_record(const model::Jail& jail, const Observed& observed) {
    return record(jail, observed, true);
}

std::optional<kernel::Applied> change_record(const model::Jail& jail, const Observed& observed) {
    const auto made = made_with(observed);
    if (!made) return std::nullopt;
    auto changed = *made;
    changed.spec.parameters =
        model::with_more(std::move(changed.spec.parameters), model::live_parameters(jail.spec.parameters));
    for (const auto& mount : jail.spec.mounts)
        if (std::ranges::find(made->spec.mounts, mount.target, &model::MountSpec::target) == made->spec.mounts.end())
            changed.spec.mounts.push_back(mount);
    if (changed == *made) return std::nullopt;
    auto applied = observed.applied;
    applied.spec = encode(changed);
    return applied;
}

std::vector<std::string> stale_mounts(const model::Jail& jail, const Observed& observed) {
    std::vector<std::string> targets;
    const auto made = made_with(observed);
    if (!made) return targets;
    for (const auto& mount : made->spec.mounts) {
        if (std::ranges::find(jail.spec.mounts, mount.target, &model::MountSpec::target) != jail.spec.mounts.end())
            continue;
        auto target = kernel::mount_of(mount, kernel::RootOwner::user).target;
        if (std::ranges::find(observed.mounts, target, &kernel::ObservedMount::target) != observed.mounts.end())
            targets.push_back(std::move(target));
    }
    std::ranges::sort(targets, std::greater{});
    return targets;
}

std::vector<std::string> given_datasets(const Observed& observed) {
    if (!alive(observed)) return {};
    const auto made = made_with(observed);
    return made ? made->spec.datasets : std::vector<std::string>{};
}

bool parameters_differ(const model::Jail& jail, const Observed& observed) {
    const bool same_generation = observed.applied.complete && observed.applied.generation == jail.generation;
    const auto& now = observed.jail->parameters;
    return std::ranges::any_of(model::live_parameters(kernel_parameters(jail)), [&](const auto& wanted_one) {
        const auto& [name, value] = wanted_one;
        const auto found = now.find(name);
        if (found == now.end()) return true;
        if (model::same_value(value, found->second)) return false;
        const bool raised = name == "securelevel" && value < found->second;
        return !raised || !same_generation;
    });
}

bool limits_differ(const model::Jail& jail, const Observed& observed) {
    if (!observed.limits) return false;
    const bool cpus = alive(observed) && observed.limits->cpus != jail.spec.cpuset;
    return cpus || observed.limits->rules != model::rules_of(jail.spec.limits);
}

bool unenforced(const model::Jail& jail, const Observed& observed) {
    if (!observed.limits) return false;
    return (!jail.spec.limits.empty() && !observed.limits->supported) ||
           (!jail.spec.cpuset.empty() && !observed.limits->cpus_supported);
}

kernel::LimitSubject limit_subject(const model::Jail& jail) {
    return {.id = jail.id, .name = jail.name, .asked = jail.spec.limits, .cpus = jail.spec.cpuset};
}

std::vector<kernel::LinkParameters> link_parameters(const model::Jail& jail,
                                                    const std::vector<model::Network>& networks) {
    std::vector<kernel::LinkParameters> links;
    std::set<Family> routed;
    const auto count = std::min(jail.interfaces.size(), networks.size());
    for (unsigned index = 0; index < count; ++index) {
        const auto& network = networks[index];
        const auto& addresses = jail.interfaces[index].addresses;
        kernel::LinkParameters link{.id = {.jail = jail.id, .index = index},
                                    .name = interface_name(jail, index),
                                    .network = network.id,
                                    .addresses = addresses,
                                    .gateways = {},
                                    .mtu = network.mtu,
                                    .jail_mtu = network.mtu,
                                    .mac = {},
                                    .isolated = network.isolated,
                                    .bridge = network.bridge};
        if (index < jail.spec.network.interfaces.size()) {
            const auto& asked = jail.spec.network.interfaces[index];
            if (asked.mtu != 0) link.jail_mtu = std::min(asked.mtu, network.mtu);
            link.mac = asked.mac;
            const auto& own = jail.spec.network;
            const bool our_files = jail.spec.root.kind != model::RootKind::path;
            link.takes_names = asked.dhcp && our_files && own.nameservers.empty() && own.search.empty();
        }
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            if (auto* learns = learned(jail, index, family, link)) {
                *learns =
                    routed.insert(family).second ? kernel::Learns::addresses_and_route : kernel::Learns::addresses;
                continue;
            }
            const auto gateway = network.gateway(family);
            const auto of_it = [&](const Prefix& address) { return address.address.family == family; };
            const bool wanted_route = gateway && std::ranges::any_of(addresses, of_it);
            if (wanted_route && routed.insert(family).second) link.gateways.push_back(*gateway);
        }
        links.push_back(std::move(link));
    }
    return links;
}

std::string interface_name(const model::Jail& jail, unsigned index) {
    const auto& asked = jail.spec.network.interfaces;
    return index < asked.size() ? asked[index].name_at(index) : kernel::jail_interface(index);
}

bool may_be_remade(const model::JailSpec& spec) {
    return spec.health && spec.health->restart;
}

bool on_network(const model::Jail& jail, const model::Network& network) {
    return std::ranges::any_of(jail.interfaces, [&](const auto& one) { return one.network == network.id; });
}

std::vector<kernel::Endpoint> endpoints_of(const model::Jail& jail, const std::vector<model::Network>& networks) {
    std::vector<kernel::Endpoint> all;
    const auto& asked = jail.spec.network.interfaces;
    const auto count = std::min(asked.size(), jail.interfaces.size());
    for (unsigned index = 0; index < count; ++index) {
        const auto network = std::ranges::find_if(
            networks, [&](const model::Network& one) { return one.name.text() == asked[index].network; });
        if (network == networks.end()) continue;
        kernel::Endpoint endpoint{.index = index,
                                  .network = network->id,
                                  .addresses = {},
                                  .gateways = {},
                                  .dynamic = asked[index].learns_any(),
                                  .bridge = network->bridge};
        for (const auto& address : jail.interfaces[index].addresses) endpoint.addresses.push_back(address.address);
        for (const auto family : {Family::ipv4, Family::ipv6})
            if (network->is_gateway(family)) endpoint.gateways.push_back(*network->gateway(family));
        all.push_back(std::move(endpoint));
    }
    return all;
}

bool confined(const model::Jail& jail) {
    return jail.spec.network.mode == model::NetworkMode::vnet && !jail.spec.firewall.empty();
}

std::vector<kernel::Alias> aliases_of(const model::Jail& jail) {
    std::vector<kernel::Alias> all;
    if (jail.spec.network.mode != model::NetworkMode::alias) return all;
    for (const auto& one : jail.spec.network.interfaces)
        for (const auto& address : one.addresses) all.push_back({.interface = one.interface, .address = address});
    return all;
}

model::Parameters kernel_parameters(const model::Jail& jail) {
    auto all = model::parameters_with_datasets(jail.spec);
    if (jail.spec.network.mode != model::NetworkMode::alias) return all;
    std::vector<IpAddress> ip4;
    std::vector<IpAddress> ip6;
    for (const auto& one : aliases_of(jail))
        (one.address.address.family == Family::ipv4 ? ip4 : ip6).push_back(one.address.address);
    for (auto* list : {&ip4, &ip6})
        if (!list->empty()) std::sort(list->begin() + 1, list->end());
    // A family that is all of the host's has no list.
    const auto inherits = [&](const char* family) {
        const auto how = all.find(family);
        return how != all.end() && how->second == model::ParameterValue(std::string("inherit"));
    };
    if (!inherits("ip4")) all["ip4.addr"] = std::move(ip4);
    if (!inherits("ip6")) all["ip6.addr"] = std::move(ip6);
    return all;
}

std::string hostname_of(const model::Jail& jail) {
    return jail.spec.hostname.empty() ? jail.name.text() : jail.spec.hostname;
}

}  // namespace jaild::reconcile
