#include "core/kernel/snapshots.h"

#include <fmt/format.h>

#include <cerrno>

#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {
namespace {

Error missing(std::string detail, std::string_view reason) {
    return Error{.code = Errc::not_found, .op = "snapshots", .detail = std::move(detail), .reason = reason};
}

}  // namespace

Result<std::vector<SnapshotKey>> MemorySnapshots::list() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("snapshots.list"); !met) return std::unexpected(met.error());
    std::vector<SnapshotKey> all;
    for (const auto& [jail, held] : world_.state.directories)
        for (const auto& [id, copy] : held.snapshots) all.push_back({.jail = jail, .id = id});
    return all;
}

Result<SnapshotSize> MemorySnapshots::take(const SnapshotKey& key,
                                           const std::function<bool(const SnapshotSize&)>& go_on) {
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(key.jail);
    if (!held || !held->tree) return std::unexpected(missing("there is no root to copy", "root_missing"));
    auto begun = world_.faults.step("snapshots.take.copy", [&]() -> Result<void> {
        held->snapshots[key.id] = {.content = held->content, .whole = false};
        return {};
    });
    if (!begun) return std::unexpected(begun.error());
    if (go_on && !go_on({.entries = 1})) {
        held->snapshots.erase(key.id);
        return std::unexpected(Error{.code = Errc::busy, .op = "snapshots", .reason = "interrupted"});
    }
    auto finished = world_.faults.step("snapshots.take.finish", [&]() -> Result<void> {
        held->snapshots[key.id].whole = true;
        return {};
    });
    if (!finished) return std::unexpected(finished.error());
    return SnapshotSize{.entries = 1};
}

Result<void> MemorySnapshots::stage(Directory& held, const SnapshotKey& from) {
    if (held.restored) return {};
    const auto* source = world_.directory(from.jail);
    const bool there = source && source->snapshots.contains(from.id) && source->snapshots.at(from.id).whole;
    if (!there) return std::unexpected(missing("the snapshot is not on disk", "snapshot_missing"));
    return world_.faults.step("snapshots.restore.copy", [&]() -> Result<void> {
        held.restored = source->snapshots.at(from.id).content;
        return {};
    });
}

Result<bool> MemorySnapshots::staged(const Restoration& restoration) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("snapshots.staged"); !met) return std::unexpected(met.error());
    const auto* held = world_.directory(restoration.jail);
    if (!held) return false;
    return held->restored || (restoration.keep ? held->snapshots.contains(*restoration.keep) : held->prepared);
}

Result<void> MemorySnapshots::stage(const Restoration& restoration) {
    std::lock_guard lock(world_.mutex);
    return stage(world_.state.directories[restoration.jail], restoration.from);
}

Result<void> MemorySnapshots::unstage(JailId jail) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("snapshots.unstage", [&]() -> Result<void> {
        if (auto* held = world_.directory(jail)) held->restored.reset();
        return {};
    });
}

Result<void> MemorySnapshots::restore(const Restoration& restoration) {
    std::lock_guard lock(world_.mutex);
    const auto id = restoration.jail;
    if (world_.prison(id)) world_.violate(fmt::format("the root of jail {} is changed while it is there", id.value));
    if (world_.any_mount(id)) world_.violate(fmt::format("the root of jail {} is changed beneath a mount", id.value));
    auto& held = world_.state.directories[id];
    const bool done = restoration.keep ? held.snapshots.contains(*restoration.keep) : held.prepared;
    if (!held.restored && done) return {};
    if (auto staged = stage(held, restoration.from); !staged) return staged;
    if (restoration.keep && !held.snapshots.contains(*restoration.keep)) {
        auto kept = world_.faults.step("snapshots.restore.keep", [&]() -> Result<void> {
            held.snapshots[*restoration.keep] = {.content = held.content, .whole = true};
            return {};
        });
        if (!kept) return kept;
    }
    return world_.faults.step("snapshots.restore.move", [&]() -> Result<void> {
        held.content = *std::exchange(held.restored, std::nullopt);
        if (!restoration.keep) held.root = world_.state.directories[restoration.from.jail].root;
        held.tree = held.etc = held.prepared = true;
        return {};
    });
}

/// What an upgrade makes of a root is another content, told from all that a hand writes.
Result<upgrade::MergeReport> MemoryRootUpgrades::upgrade(const RootUpgrade& asked) {
    constexpr std::int64_t kUpgraded = 1'000'000;
    std::lock_guard lock(world_.mutex);
    const auto id = asked.jail;
    if (world_.prison(id)) world_.violate(fmt::format("the root of jail {} is changed while it is there", id.value));
    if (world_.any_mount(id)) world_.violate(fmt::format("the root of jail {} is changed beneath a mount", id.value));
    auto* held = world_.directory(id);
    if (!held || !held->prepared) return std::unexpected(missing("there is no root to upgrade", "root_missing"));
    const auto kept = held->snapshots.find(asked.mark);
    if (kept == held->snapshots.end() || !kept->second.whole)
        world_.violate(fmt::format("the root of jail {} is changed before it is safe", id.value));
    if (world_.state.lost_templates.contains(asked.from) || world_.state.lost_templates.contains(asked.to.id))
        return std::unexpected(missing("the tree of a template is not there", "template_missing"));
    auto done = world_.faults.step("root_upgrades.upgrade", [&]() -> Result<void> {
        if (held->upgraded != asked.mark) held->content += kUpgraded;
        held->upgraded = asked.mark;
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return upgrade::MergeReport{.updated = 1};
}

Result<upgrade::MergeReport> MemoryRootUpgrades::try_upgrade(const RootUpgrade& asked) {
    std::lock_guard lock(world_.mutex);
    if (!world_.directory(asked.jail)) return std::unexpected(missing("there is no root to upgrade", "root_missing"));
    return upgrade::MergeReport{.updated = 1};
}

Result<void> MemorySnapshots::remove(const SnapshotKey& key) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("snapshots.remove", [&]() -> Result<void> {
        if (auto* held = world_.directory(key.jail)) held->snapshots.erase(key.id);
        return {};
    });
}

}  // namespace jaild::kernel::memory
