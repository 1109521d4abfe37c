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
    return left.id == right.id && left.ipv4 == right.ipv4 && left.ipv6 == right.ipv6 && left.nat == right.nat;
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

}  // namespace jaild::kernel::memory
