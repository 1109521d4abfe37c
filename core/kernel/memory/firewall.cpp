#include "core/kernel/firewall.h"

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/anchors.h"
#include "core/kernel/memory/ports.h"
#include "core/kernel/names.h"

namespace jaild::kernel::memory {
namespace {

/// All that rules are made of.
bool same_rules(const model::Network& left, const model::Network& right) {
    return left.id == right.id && left.ipv4 == right.ipv4 && left.ipv6 == right.ipv6 && left.nat == right.nat &&
           left.isolated == right.isolated && left.bridge == right.bridge && left.uplink == right.uplink;
}

}  // namespace

Result<void> MemoryFirewall::available() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("firewall.available"); !met) return met;
    if (world_.options.firewall) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "firewall",
                                 .detail = "the packet filter is off",
                                 .reason = "firewall_unavailable",
                                 .remedy = "sysrc pf_enable=YES && service pf start"});
}

Result<std::vector<ObservedRules>> MemoryFirewall::list(const std::vector<model::Network>& desired) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("firewall.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedRules> listed;
    for (const auto& [id, loaded] : world_.state.rules) {
        const bool wanted =
            std::ranges::any_of(desired, [&](const model::Network& one) { return same_rules(one, loaded.network); });
        listed.push_back({.network = id, .complete = wanted && !loaded.spoiled && evaluated(loaded.anchor)});
    }
    return listed;
}

Result<void> MemoryFirewall::apply(const model::Network& network) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("firewall.apply", [&]() -> Result<void> {
        if (world_.nature.chance(world_.options.nature.busy_anchor)) {
            return std::unexpected(Error::from_errno("pfctl", EBUSY, "another load is under way"));
        }
        auto anchor = network_anchor(world_.driver.instance, network.id);
        if (anchor.size() > kMaxAnchorPath) return std::unexpected(Error::from_errno("pfctl", ENAMETOOLONG, anchor));
        world_.state.rules.insert_or_assign(network.id, LoadedRules{network, false, std::move(anchor)});
        return {};
    });
}

Result<void> MemoryFirewall::remove(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("firewall.remove", [&]() -> Result<void> {
        world_.state.rules.erase(network);
        return {};
    });
}

Result<void> MemoryFirewall::enforceable() {
    if (auto on = available(); !on) return on;
    std::lock_guard lock(world_.mutex);
    if (world_.options.pfil_member) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "firewall",
                                 .detail = "packets between jails of one bridge pass the packet filter by",
                                 .reason = "firewall_not_enforceable",
                                 .remedy = "sysctl net.link.bridge.pfil_member=1"});
}

bool MemoryFirewall::guards() {
    std::lock_guard lock(world_.mutex);
    return world_.options.pfil_member;
}

Result<std::vector<ObservedJailRules>> MemoryFirewall::list_jails(const std::vector<JailRules>& desired) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("firewall.list_jails"); !met) return std::unexpected(met.error());
    std::vector<ObservedJailRules> listed;
    for (const auto& one : desired) {
        const auto found = world_.state.jail_rules.find(one.jail);
        const bool loaded = found != world_.state.jail_rules.end();
        listed.push_back({.jail = one.jail,
                          .loaded = loaded,
                          .complete = loaded && !found->second.spoiled && found->second.rules == one});
    }
    for (const auto& [id, loaded] : world_.state.jail_rules) {
        if (std::ranges::find(desired, id, &JailRules::jail) == desired.end())
            listed.push_back({.jail = id, .loaded = true, .complete = false});
    }
    return listed;
}

Result<void> MemoryFirewall::apply(const JailRules& rules) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("firewall.apply_jail", [&]() -> Result<void> {
        if (world_.nature.chance(world_.options.nature.busy_anchor)) {
            return std::unexpected(Error::from_errno("pfctl", EBUSY, "another load is under way"));
        }
        world_.state.jail_rules.insert_or_assign(rules.jail, LoadedJailRules{.rules = rules});
        return {};
    });
}

Result<void> MemoryFirewall::remove(JailId jail) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("firewall.remove_jail", [&]() -> Result<void> {
        world_.state.jail_rules.erase(jail);
        return {};
    });
}

Result<void> MemoryFirewall::update(const std::vector<GroupUse>& groups) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("firewall.update", [&]() -> Result<void> {
        for (const auto& [group, users] : groups) {
            for (const JailId user : users) {
                const auto loaded = world_.state.jail_rules.find(user);
                if (loaded == world_.state.jail_rules.end()) continue;
                auto& known = loaded->second.rules.groups;
                const auto found = std::ranges::find(known, group.key, &Group::key);
                if (found != known.end()) found->members = group.members;
            }
        }
        return {};
    });
}

Result<LoadedText> MemoryFirewall::loaded(const JailRules& rules) {
    std::lock_guard lock(world_.mutex);
    LoadedText shown;
    const auto found = world_.state.jail_rules.find(rules.jail);
    if (found == world_.state.jail_rules.end()) return shown;
    shown.text = describe(found->second.rules);
    const auto count = [&](bool ingress, const std::optional<Filter>& filter) {
        if (!filter) return;
        for (std::size_t i = 0; i < filter->rules.size(); ++i)
            shown.counts.push_back({.ingress = ingress, .place = RuleCount::Place::rule, .index = i});
        shown.counts.push_back({.ingress = ingress, .place = RuleCount::Place::fallback});
    };
    count(true, found->second.rules.ingress);
    count(false, found->second.rules.egress);
    return shown;
}

Result<std::optional<std::string>> MemoryFirewall::listener(const model::Publish& publish) {
    std::lock_guard lock(world_.mutex);
    for (const auto& socket : world_.state.foreign.sockets)
        if (model::collide(socket, publish)) return "sshd (pid 22)";
    return std::nullopt;
}

}  // namespace jaild::kernel::memory
