#include "core/kernel/freebsd/our_prisons.h"

#include "core/kernel/freebsd/pure/jail_meta.h"

namespace jaild::kernel::freebsd {

bool is_ours(const Places& places, JailId id, const Prison& prison) {
    return prison.path == places.root(id).string() &&
           read_jail_meta(prison.meta, places.instance, id) != MetaSays::theirs;
}

Result<std::map<JailId, Prison>> our_prisons(const Places& places, Scope scope) {
    auto all = prisons();
    if (!all) return std::unexpected(all.error());
    std::map<JailId, Prison> ours;
    for (auto& prison : *all) {
        const auto id = places.jail_of_root(prison.path);
        if (!id || (scope && *scope != *id) || !is_ours(places, *id, prison)) continue;
        const auto known = ours.find(*id);
        if (known == ours.end() || (known->second.dying && !prison.dying)) ours[*id] = std::move(prison);
    }
    return ours;
}

Result<std::optional<Prison>> our_prison(const Places& places, JailId id) {
    auto ours = our_prisons(places, id);
    if (!ours) return std::unexpected(ours.error());
    const auto found = ours->find(id);
    if (found == ours->end() || found->second.dying) return std::nullopt;
    return std::move(found->second);
}

JailReference reference(const Prison& prison) {
    return {.jid = prison.jid, .name = prison.name, .path = prison.path};
}

}  // namespace jaild::kernel::freebsd
