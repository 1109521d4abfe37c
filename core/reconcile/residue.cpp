#include "core/reconcile/residue.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

/// What lives in a jail that nobody knows gets this long to end.
constexpr Milliseconds kGrace{5'000};
/// An event names so many at most.
constexpr std::size_t kNamed = 64;

}  // namespace

Result<void> Residue::sweep(JailId seen) {
    auto row = store::read<model::Jail>(engine_.store, [&](store::Reader& reader) { return reader.jail(seen); });
    if (row) return {};
    if (row.error().code != Errc::not_found) return std::unexpected(row.error());
    // Its removal may have ended meanwhile.
    auto observed = observe(engine_.kernel, seen);
    if (!observed) return std::unexpected(observed.error());
    observe_leftover(engine_, seen, *observed);

    if (lives(*observed)) {
        return report(seen.value, "a running jail",
                      fmt::format("jail id {} of this installation: jaildctl doctor --residue removes it", seen.value));
    }
    if (auto cleared = clear(seen, *observed); !cleared) return cleared;
    auto items = describe(seen, *observed, engine_.store.instance());
    const bool dying = observed->jail && observed->jail->dying;
    std::erase_if(items, [&](const model::Leftover& item) {
        return item.kept || (dying && item.kind == model::LeftoverKind::jail);
    });
    for (auto& item : items) item.removed = true;
    if (auto told = tell_removed(items); !told) return told;
    if (!observed->directory) return {};
    return report(seen.value, "a jail's directory",
                  fmt::format("look into jails/{} in the state directory; if nothing in it is needed, jaildctl doctor "
                              "--residue deletes it",
                              seen.value));
}

/// In the order in which nothing loses what it stands on, as a teardown does it.
Result<void> Residue::clear(JailId id, const Observed& observed) {
    const auto limits = limits_left(engine_, id, observed);
    for (const auto& link : observed.links)
        if (auto destroyed = engine_.kernel.links().destroy(link.id); !destroyed) return destroyed;
    if (observed.jail && !observed.jail->dying)
        if (auto removed = engine_.kernel.jails().remove(id); !removed) return removed;
    if (observed.rules && observed.rules->loaded)
        if (auto removed = engine_.kernel.firewall().remove(id); !removed) return removed;
    for (const auto& given : observed.aliases)
        if (auto removed = engine_.kernel.links().remove_alias(id, given.alias); !removed) return removed;
    if (shim_alive(observed))
        if (auto released = engine_.kernel.processes().release(id); !released) return released;
    for (const auto& mount : observed.mounts | std::views::reverse)
        if (auto unmounted = engine_.kernel.mounts().unmount(id, mount.target); !unmounted) return unmounted;
    if (limits && observed.limits && !observed.limits->rules.empty()) return engine_.kernel.limits().remove(*limits);
    return {};
}

/// Of one that lives too, and with its directory, which is never deleted beneath a mount.
Result<void> Residue::remove_jail(JailId id, const Observed& observed) {
    if (shim_alive(observed) && observed.shim->command == kernel::CommandState::running)
        if (auto stopped = engine_.kernel.processes().stop_command(id, kGrace); !stopped) return stopped;
    if (auto cleared = clear(id, observed); !cleared) return cleared;
    return observed.directory ? engine_.kernel.roots().remove(id) : Result<void>{};
}

Residue::Failures Residue::remove(const Leftovers& found) {
    Failures failures;
    const auto keep = [&](std::string_view what, std::int64_t id, const Result<void>& done) {
        if (!done) failures.emplace(fmt::format("{} {}", what, id), done.error());
    };
    for (const auto& [id, observed] : found.jails) keep("jail", id.value, remove_jail(id, observed));
    std::set<NetworkId> networks = found.rules;
    networks.insert(found.bridges.begin(), found.bridges.end());
    for (const auto id : networks) {
        auto done = engine_.networks.clear(id);
        if (done.failure) failures.emplace(fmt::format("network {}", id.value), std::move(done.failure->error));
    }
    for (const auto& key : found.trees.snapshots) keep("jail", key.jail.value, engine_.kernel.snapshots().remove(key));
    for (const auto id : found.trees.templates) keep("template", id.value, engine_.kernel.template_trees().remove(id));
    return failures;
}

Result<std::vector<model::Leftover>> Residue::list(const std::function<bool(JailId)>& busy) {
    const auto found = find_leftovers(engine_, busy);
    if (!found) return std::unexpected(found.error());
    return describe(*found, engine_.store.instance());
}

Result<std::vector<model::Leftover>> Residue::remove_all(const std::function<bool(JailId)>& busy) {
    const auto found = find_leftovers(engine_, busy);
    if (!found) return std::unexpected(found.error());
    auto items = describe(*found, engine_.store.instance());
    const auto failures = remove(*found);
    // What a call says that it did is not asked, but what is there now.
    const auto left = list(busy);
    for (auto& item : items) {
        const auto failure = failures.find(item.owner);
        item.removed = left ? std::ranges::none_of(*left, [&](const model::Leftover& one) { return one.is_same(item); })
                            : failure == failures.end();
        if (*item.removed) continue;
        item.problem =
            failure == failures.end() ? "it is there still: something else holds it" : failure->second.to_string();
    }
    if (auto told = tell_removed(items); !told) return std::unexpected(told.error());
    return items;
}

Result<void> Residue::tell_removed(const std::vector<model::Leftover>& items) {
    auto objects = nlohmann::json::array();
    std::size_t count = 0;
    for (const auto& item : items) {
        if (!item.removed.value_or(false)) continue;
        if (++count <= kNamed) objects.push_back(fmt::format("{} {}", to_string(item.kind), item.object));
        spdlog::warn("{} {} of {}, which has no row in the database: it is removed", to_string(item.kind), item.object,
                     item.owner);
    }
    if (count == 0) return {};
    const nlohmann::json data{{"count", count}, {"objects", std::move(objects)}};
    return engine_.journal.note({}, {.type = "residue.removed", .data = data.dump()});
}

Result<void> Residue::tell_of_trees() {
    const auto found = find_left_trees(engine_);
    if (!found) return std::unexpected(found.error());
    const std::string remedy = "jaildctl doctor --residue deletes it";
    for (const auto& key : found->snapshots) {
        const auto what = fmt::format("a snapshot of jail {}", key.jail.value);
        if (auto told = report(key.id.value, what, remedy); !told) return told;
    }
    for (const auto id : found->templates)
        if (auto told = report(id.value, "a template's tree", remedy); !told) return told;
    return {};
}

Result<void> Residue::report(std::int64_t id, const std::string& what, const std::string& remedy) {
    if (reported_.contains({id, what})) return {};
    spdlog::warn("{} with id {} has no row in the database: it is left alone", what, id);
    const nlohmann::json data{{"id", id}, {"what", what}, {"remedy", remedy}};
    auto noted = engine_.journal.note({}, {.type = "residue.found", .data = data.dump()});
    if (noted) reported_.emplace(id, what);
    return noted;
}

}  // namespace jaild::reconcile
