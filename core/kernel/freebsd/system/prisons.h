#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"

/// Jails as the kernel has them: jail_get(2), jail_set(2). Blocking, any thread.
namespace jaild::kernel::freebsd {

struct Prison {
    int jid = 0;
    std::string name;
    std::string path;
    std::string hostname;
    bool dying = false;
};

/// All jails directly beneath this one, dying ones too. Those within a jail are left out: they can have its very path.
Result<std::vector<Prison>> prisons();
/// A living one.
Result<std::optional<Prison>> prison_named(const std::string& name);
/// With that number, name and path at this very moment, and alive.
bool is_still(const JailReference& jail);

/// jail_set(2) with its errmsg in the Error. Answers the jid. `flags`: JAIL_CREATE | …
Result<int> set_jail(const Parameters& parameters, int flags);
/// jail_remove(2). One that is gone already or dying: success.
Result<void> remove_jail(int jid);

}  // namespace jaild::kernel::freebsd
