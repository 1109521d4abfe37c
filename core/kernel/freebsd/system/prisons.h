#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "core/kernel/freebsd/pure/parameter_types.h"

/// Jails as the kernel has them: jail_get(2), jail_set(2). Blocking, any thread.
namespace jaild::kernel::freebsd {

struct Prison {
    int jid = 0;
    std::string name;
    std::string path;
    std::string hostname;
    std::string meta;  ///< before FreeBSD 15: empty
    bool dying = false;
    bool vnet = false;  ///< it has a network stack of its own
};

/// All jails directly beneath this one, dying ones too. Those within a jail are left out: they can have its very path.
Result<std::vector<Prison>> prisons();
/// A living one.
Result<std::optional<Prison>> prison_named(const std::string& name);
/// With that number, name and path at this very moment, and alive.
bool is_still(const JailReference& jail);

/// How many bytes the `meta` of a new jail may have, with its NUL. 0: this kernel has none, which came with FreeBSD 15.
Result<std::size_t> meta_room();

/// jail_set(2) with its errmsg in the Error. Answers the jid. `flags`: JAIL_CREATE | …
Result<int> set_jail(const Parameters& parameters, int flags);
/// What these are now, by the names that they come with. Nothing of a jail that is gone.
Result<model::Parameters> get_parameters(int jid, const std::vector<std::pair<std::string, KnownParameter>>& wanted);
/// jail_remove(2). One that is gone already or dying: success.
Result<void> remove_jail(int jid);

}  // namespace jaild::kernel::freebsd
