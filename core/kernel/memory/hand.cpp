#include "core/kernel/memory/hand.h"

#include <algorithm>
#include <csignal>

#include "core/kernel/names.h"

namespace jaild::kernel::memory {

namespace {

model::LimitRule foreign_limit() {
    return {.resource = "maxproc", .limit = {.amount = 1000, .action = "log"}};
}

}  // namespace

Pair* Hand::pair(JailId id, unsigned index) {
    auto* prison = world_.prison(id);
    return prison ? world_.pair_in(prison->jid, index) : nullptr;
}

bool Hand::kill_jail(JailId id, Remains remains) {
    std::lock_guard lock(world_.mutex);
    auto* prison = world_.prison(id);
    if (!prison) return false;
    if (remains == Remains::corpse) {
        world_.kill_processes(id);
        prison->life = JailLife::dead;
    } else {
        world_.bury(*prison, remains == Remains::dying ? world_.options.nature.linger_rounds : 0);
    }
    return true;
}

bool Hand::delete_link(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there) return false;
    std::erase_if(world_.state.pairs,
                  [jid = there->jid, index](const Pair& one) { return one.jid == jid && one.owner.index == index; });
    world_.notifier.changed(id);
    return true;
}

bool Hand::set_link_down(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there) return false;
    there->jail_up = false;
    there->gateways.clear();
    return true;
}

bool Hand::delete_address(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there || there->addresses.empty()) return false;
    const auto family = there->addresses.back().address.family;
    there->addresses.pop_back();
    std::erase_if(there->gateways, [&](const IpAddress& gateway) { return gateway.family == family; });
    return true;
}

bool Hand::delete_route(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there || there->gateways.empty()) return false;
    there->gateways.pop_back();
    return true;
}

bool Hand::kill_client(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    return there && std::exchange(there->client, false);
}

bool Hand::leave_bridge(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there || (there->bridge == NetworkId{} && there->host_bridge.empty())) return false;
    there->bridge = {};
    there->host_bridge.clear();
    return true;
}

bool Hand::delete_alias(JailId id) {
    std::lock_guard lock(world_.mutex);
    const auto* held = world_.directory(id);
    if (!held || held->aliases.empty()) return false;
    return std::erase(world_.state.host_addresses, held->aliases.front()) > 0;
}

void Hand::add_address(const Alias& alias) {
    std::lock_guard lock(world_.mutex);
    world_.state.foreign.addresses.push_back(alias);
}

void Hand::reboot() {
    std::lock_guard lock(world_.mutex);
    auto& state = world_.state;
    for (auto& [id, held] : state.directories) {
        auto& shim = held.shim;
        if (shim.alive && shim.command == CommandState::running)
            world_.end_command(id, held, 128 + SIGKILL, SIGKILL, "lost");
        shim.alive = false;
        shim.pid = 0;
    }
    state.prisons.clear();
    state.pairs.clear();
    state.bridges.clear();
    state.host_addresses.clear();
    state.mounts.clear();
    state.rules.clear();
    state.jail_rules.clear();
    state.limits.clear();
    state.forwarding4 = state.forwarding6 = false;
    ++state.boot;
}

bool Hand::flip_isolation(JailId id, unsigned index) {
    std::lock_guard lock(world_.mutex);
    auto* there = pair(id, index);
    if (!there || there->bridge == NetworkId{}) return false;
    there->isolated = !there->isolated;
    return true;
}

bool Hand::unmount(JailId id, const std::string& target) {
    std::lock_guard lock(world_.mutex);
    if (world_.mounted_beneath(id, target)) return false;
    auto& mounts = world_.state.mounts;
    auto last = std::find_if(mounts.rbegin(), mounts.rend(),
                             [&](const MountPoint& one) { return one.id == id && one.mount.target == target; });
    if (last == mounts.rend()) return false;
    mounts.erase(std::next(last).base());
    return true;
}

bool Hand::mount_extra(JailId id, const std::string& target) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (!held || !held->prepared) return false;
    if (held->root.kind == model::RootKind::path && !world_.mounted(id, "root")) return false;
    world_.state.mounts.push_back({id, {.kind = MountKind::bind, .source = "/home", .target = target}, false});
    return true;
}

bool Hand::flush_rules(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    return world_.state.rules.erase(network) > 0;
}

bool Hand::spoil_rules(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    auto loaded = world_.state.rules.find(network);
    if (loaded == world_.state.rules.end()) return false;
    loaded->second.spoiled = true;
    return true;
}

bool Hand::flush_jail_rules(JailId id) {
    std::lock_guard lock(world_.mutex);
    return world_.state.jail_rules.erase(id) > 0;
}

bool Hand::spoil_jail_rules(JailId id) {
    std::lock_guard lock(world_.mutex);
    const auto loaded = world_.state.jail_rules.find(id);
    if (loaded == world_.state.jail_rules.end()) return false;
    loaded->second.spoiled = true;
    return true;
}

bool Hand::empty_groups(JailId id) {
    std::lock_guard lock(world_.mutex);
    const auto loaded = world_.state.jail_rules.find(id);
    if (loaded == world_.state.jail_rules.end() || loaded->second.rules.groups.empty()) return false;
    for (auto& group : loaded->second.rules.groups) group.members.clear();
    return true;
}

void Hand::set_firewall(bool on) {
    std::lock_guard lock(world_.mutex);
    world_.options.firewall = on;
}

void Hand::set_pfil_member(bool on) {
    std::lock_guard lock(world_.mutex);
    world_.options.pfil_member = on;
}

void Hand::listen(const model::Publish& socket) {
    std::lock_guard lock(world_.mutex);
    world_.state.foreign.sockets.push_back(socket);
}

bool Hand::delete_bridge(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    const auto mark = network_mark(world_.driver.instance, network);
    if (std::erase_if(world_.state.bridges, [&](const Bridge& one) { return one.mark == mark; }) == 0) return false;
    for (auto& one : world_.state.pairs) {
        if (one.bridge == network) one.bridge = {};
    }
    return true;
}

bool Hand::set_bridge_down(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    const auto mark = network_mark(world_.driver.instance, network);
    for (auto& one : world_.state.bridges) {
        if (one.mark != mark || !one.up) continue;
        one.up = false;
        return true;
    }
    return false;
}

bool Hand::delete_applied(JailId id) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (!held || !held->applied) return false;
    held->applied.reset();
    held->hooks_begun.clear();  // nobody can know of them any more
    if (auto* prison = world_.prison(id)) prison->hint_lost = true;
    return true;
}

bool Hand::write_root(JailId id, std::int64_t content) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (!held || !held->prepared) return false;
    held->content = content;
    return true;
}

bool Hand::take_snapshot(const SnapshotKey& key) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(key.jail);
    if (!held || !held->prepared) return false;
    held->snapshots[key.id] = {.content = held->content, .whole = true};
    return true;
}

void Hand::unpack(JailId id, const model::RootSpec& root) {
    const std::lock_guard lock(world_.mutex);
    auto& held = world_.state.directories[id];
    held.root = root;
    held.tree = held.etc = held.prepared = true;
}

bool Hand::kill_shim(JailId id) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (!held || !held->shim.alive) return false;
    held->shim.alive = false;
    world_.notifier.changed(id);
    return true;
}

bool Hand::end_command(JailId id, int exit_code) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (!held || !held->shim.alive || held->shim.command != CommandState::running) return false;
    const bool all = held->shim.all;
    world_.end_command(id, *held, all ? 0 : exit_code, 0, all ? "emptied" : "exited");
    return true;
}

bool Hand::set_hostname(JailId id, const std::string& hostname) {
    std::lock_guard lock(world_.mutex);
    auto* prison = world_.prison(id);
    if (!prison || prison->life != JailLife::alive) return false;
    prison->hostname = hostname;
    return true;
}

bool Hand::lower_forwarding() {
    std::lock_guard lock(world_.mutex);
    const bool was = world_.state.forwarding4 || world_.state.forwarding6;
    world_.state.forwarding4 = world_.state.forwarding6 = false;
    return was;
}

bool Hand::remove_limits(const std::string& name) {
    std::lock_guard lock(world_.mutex);
    if (world_.foreign_jail(name)) return false;
    return world_.state.limits.erase(name) > 0;
}

bool Hand::add_limit(const std::string& name, const model::LimitRule& rule) {
    std::lock_guard lock(world_.mutex);
    if (!world_.state.racct || world_.foreign_jail(name)) return false;
    world_.state.limits[name].push_back(rule);
    return true;
}

bool Hand::breach_limit(JailId id, const std::string& resource) {
    std::lock_guard lock(world_.mutex);
    auto* prison = world_.prison(id);
    if (!prison || prison->life != JailLife::alive) return false;
    ++prison->breaches[resource];
    return true;
}

bool Hand::set_parameter(JailId id, const freebsd::Parameter& parameter) {
    std::lock_guard lock(world_.mutex);
    auto* prison = world_.prison(id);
    if (!prison || prison->life != JailLife::alive || !prison->parameters.contains(parameter.name)) return false;
    prison->parameters[parameter.name] = parameter.value;
    return true;
}

void Hand::set_racct(bool on) {
    std::lock_guard lock(world_.mutex);
    world_.state.racct = on;
    world_.state.limits.clear();
}

bool Hand::move_rules(NetworkId network, const std::string& anchor) {
    std::lock_guard lock(world_.mutex);
    auto loaded = world_.state.rules.find(network);
    if (loaded == world_.state.rules.end()) return false;
    loaded->second.anchor = anchor;
    return true;
}

bool Hand::take_name(const std::string& name) {
    std::lock_guard lock(world_.mutex);
    for (const auto& one : world_.state.prisons) {
        if (one.name == name) return false;
    }
    world_.state.foreign.jails.push_back(name);
    // Whoever finds old rules on his new jail's name takes them away, and has some of his own.
    world_.state.limits.insert_or_assign(name, std::vector{foreign_limit()});
    return true;
}

bool Hand::give_name_back(const std::string& name) {
    std::lock_guard lock(world_.mutex);
    if (std::erase(world_.state.foreign.jails, name) == 0) return false;
    const auto rules = world_.state.limits.find(name);
    if (rules == world_.state.limits.end() || rules->second != std::vector{foreign_limit()})
        world_.violate("the limits of a jail that is not ours were changed: " + name);
    world_.state.limits.erase(name);
    return true;
}

void Hand::lose_template(TemplateId id) {
    std::lock_guard lock(world_.mutex);
    world_.state.lost_templates.insert(id);
}

void Hand::find_template(TemplateId id) {
    std::lock_guard lock(world_.mutex);
    world_.state.lost_templates.erase(id);
}

}  // namespace jaild::kernel::memory
