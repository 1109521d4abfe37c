#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/kernel/mounts.h"

namespace jaild::kernel {

/// The directories `<state>/jails/<id>` (0700, root's), the same on every system: `root` in each is what its jail sees
/// as /, the file `prepared` is written last. Blocking, idempotent, any thread.
class JailDirectories {
public:
    explicit JailDirectories(std::filesystem::path state) : state_(std::move(state)) {}

    [[nodiscard]] const std::filesystem::path& state() const { return state_; }
    [[nodiscard]] std::filesystem::path all() const { return state_ / "jails"; }
    [[nodiscard]] std::filesystem::path path(JailId id) const { return all() / std::to_string(id.value); }

    /// Also those that are half removed.
    [[nodiscard]] Result<std::vector<JailId>> list() const;
    [[nodiscard]] Result<bool> prepared(JailId id) const;
    /// Opens the directory, made when missing.
    [[nodiscard]] Result<UniqueFd> make(JailId id) const;
    /// Everything that prepare() makes is there. `jail` is the open directory.
    [[nodiscard]] Result<void> mark_prepared(int jail) const;
    /// What write_atomic() left in them when a daemon was killed in the middle. Only before anybody writes there.
    void clear_temporaries() const;
    /// Errc::busy "still_mounted" when anything is mounted there.
    [[nodiscard]] Result<void> check_unmounted(JailId id, Mounts& mounts) const;
    /// Deletes it whole, whatever is in it. Errc::busy "still_mounted" when anything is mounted there.
    [[nodiscard]] Result<void> remove(JailId id, Mounts& mounts) const;

private:
    std::filesystem::path state_;
};

}  // namespace jaild::kernel
