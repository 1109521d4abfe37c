#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>

#include "core/base/error.h"
#include "core/kernel/linux/layout.h"

namespace jaild::kernel {

/// A directory of `<state>/host-etc` and where jails with template `host` see it.
struct SharedDirectory {
    const char* name;
    const char* place;
};
/// One inode for each link in each jail would make most of the time that making one takes, and of removing it. They are
/// mounted by the runtime in the jail alone: beneath /etc, which its root may rename, no mount of the host's belongs.
inline constexpr std::array<SharedDirectory, 2> kSharedDirectories{
    {{"alternatives", "etc/alternatives"}, {"certs", "etc/ssl/certs"}}};

/// Keeps `<state>/host-etc` like the host's /etc, as far as template `host` shows it. Thread-safe, blocking.
class SharedEtc {
public:
    explicit SharedEtc(const Layout& layout) : directory_(layout.shared_etc()) {}
    /// Looks at two directories' times; copies when they are others than at the last call.
    Result<void> refresh();

private:
    std::filesystem::path directory_;
    std::mutex mutex_;
    std::array<std::int64_t, 4> seen_{-1};  ///< seconds and nanoseconds of each; at first no time at all
};

}  // namespace jaild::kernel
