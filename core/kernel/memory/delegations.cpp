#include "core/kernel/delegations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"
#include "core/model/datasets.h"

namespace jaild::kernel::memory {

/// The model has no pool: what begins with "missing" does not exist, everything else does. The host lies on zroot.
Result<void> MemoryDelegations::judge(const std::string& dataset) const {
    const auto refused = [](std::string_view reason, std::string detail, std::string remedy) {
        auto error = Error::invalid(reason, {}, std::move(detail));
        error.remedy = std::move(remedy);
        return std::unexpected(std::move(error));
    };
    if (dataset.starts_with("missing"))
        return refused("dataset_missing", "there is no dataset " + dataset, "make it: zfs create " + dataset);
    const auto& parent = world_.driver.zfs_parent;
    if (model::overlap(dataset, "zroot/ROOT") || (!parent.empty() && model::overlap(dataset, parent)))
        return refused("dataset_refused", dataset + " is the host's own, or jaild's",
                       "give the jail a dataset that was made for it: zfs create");
    return {};
}

Result<void> MemoryDelegations::check(const std::string& dataset) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("datasets.check"); !met) return met;
    return judge(dataset);
}

/// FreeBSD's kernel would let two have it.
void MemoryDelegations::check_exclusive(JailId id, const std::string& dataset) {
    for (const auto& other : world_.state.prisons) {
        if (other.id == id || other.life == JailLife::dying || other.hint_lost) continue;
        for (const auto& theirs : other.datasets)
            if (model::overlap(theirs, dataset))
                world_.violate(
                    fmt::format("jail {} is given {} while jail {} has {}", id.value, dataset, other.id.value, theirs));
    }
}

Result<void> MemoryDelegations::attach(JailId id, const std::string& dataset) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("datasets.attach"); !met) return met;
    auto* prison = world_.prison(id);
    if (prison == nullptr || prison->life != JailLife::alive)
        return std::unexpected(Error::from_errno("zfs", ESRCH, "the jail is not running"));
    if (auto good = judge(dataset); !good) return good;
    auto set = world_.faults.step("datasets.attach.set", [&]() -> Result<void> {
        world_.state.jailed_datasets.insert(dataset);
        return {};
    });
    if (!set) return set;
    return world_.faults.step("datasets.attach.jail", [&]() -> Result<void> {
        check_exclusive(id, dataset);
        prison->datasets.insert(dataset);
        return {};
    });
}

Result<void> MemoryDelegations::detach(JailId id, const std::string& dataset) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("datasets.detach", [&]() -> Result<void> {
        if (auto* prison = world_.prison(id)) prison->datasets.erase(dataset);
        return {};
    });
}

}  // namespace jaild::kernel::memory
