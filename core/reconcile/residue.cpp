#include "core/reconcile/residue.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <ranges>

#include "core/reconcile/effective.h"

namespace jaild::reconcile {

Result<void> Residue::sweep(JailId seen) {
    auto row = store::read<model::Jail>(engine_.store, [&](store::Reader& reader) { return reader.jail(seen); });
    if (row) return {};
    if (row.error().code != Errc::not_found) return std::unexpected(row.error());
    // Its removal may have ended meanwhile.
    auto observed = observe(engine_.kernel, seen);
    if (!observed) return std::unexpected(observed.error());

    // Without a packet filter there are none.
    (void)observe_rules(engine_.kernel, {.jail = seen}, *observed);

    const bool lives =
        alive(*observed) || (shim_alive(*observed) && observed->shim->command == kernel::CommandState::running);
    if (lives) {
        return report(
            seen, "a running jail",
            fmt::format("remove it by hand if it is not wanted (jail id {} of this installation)", seen.value));
    }
    if (auto cleared = clear(seen, *observed); !cleared) return cleared;
    if (!observed->directory) return {};
    return report(
        seen, "a jail's directory",
        fmt::format("look into jails/{} in the state directory; delete it if nothing in it is needed", seen.value));
}

/// In the order in which nothing loses what it stands on, as a teardown does it.
Result<void> Residue::clear(JailId id, const Observed& observed) {
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
    return {};
}

Result<void> Residue::report(JailId id, const std::string& what, const std::string& remedy) {
    if (reported_.contains({id, what})) return {};
    spdlog::warn("{} with id {} has no row in the database: it is left alone", what, id.value);
    const nlohmann::json data{{"id", id.value}, {"what", what}, {"remedy", remedy}};
    auto noted = engine_.journal.note({}, {.type = "residue.found", .data = data.dump()});
    if (noted) reported_.emplace(id, what);
    return noted;
}

}  // namespace jaild::reconcile
