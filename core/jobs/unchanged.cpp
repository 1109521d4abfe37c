#include "core/jobs/unchanged.h"

namespace jaild::jobs {

Result<const char*> changed_since(store::Reader& reader, const model::Jail& jail) {
    const auto now = reader.jail(jail.id);
    if (!now && now.error().code != Errc::not_found) return std::unexpected(now.error());
    if (!now || now->removing) return "removed";
    const bool same = now->generation == jail.generation && now->incarnation == jail.incarnation;
    return same ? nullptr : "changed";
}

}  // namespace jaild::jobs
