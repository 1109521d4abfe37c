#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "core/base/ids.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel::freebsd {

/// Where the FreeBSD driver keeps things, and by which path a jail is ours. Pure.
class Places {
public:
    explicit Places(const DriverOptions& options)
        : instance(options.instance), state(options.state_directory), helpers(options.helper_directory) {}

    InstanceId instance;
    std::filesystem::path state;
    std::filesystem::path helpers;

    [[nodiscard]] std::filesystem::path jail(JailId id) const { return state / "jails" / std::to_string(id.value); }
    [[nodiscard]] std::filesystem::path root(JailId id) const { return jail(id) / "root"; }
    /// The jail whose root that is, in exactly the form that root() has; nothing for any other path.
    [[nodiscard]] std::optional<JailId> jail_of_root(std::string_view path) const;
};

}  // namespace jaild::kernel::freebsd
