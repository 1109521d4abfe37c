#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/mounts.h"

namespace jaild::kernel {

/// Which directories of the host may be mounted in a jail because a spec asks for them. Blocking, any thread.
class MountSources {
public:
    /// `listed`: what may ever be mounted, with what is beneath; empty: anything.
    MountSources(std::vector<std::filesystem::path> listed, std::filesystem::path state)
        : listed_(std::move(listed)), state_(std::move(state)) {}

    /// Of a bind. Errors as Mounts::check(). It must be a directory that is reached without symbolic links, and neither
    /// hold nor lie in the state directory; with `create` it may be missing.
    [[nodiscard]] Result<void> check(const Mount& mount) const;
    /// The same, of what is mounted now: made if that was asked for, and held.
    [[nodiscard]] Result<UniqueFd> open(const Mount& mount) const;
    [[nodiscard]] bool lists(const std::string& source) const;

private:
    std::vector<std::filesystem::path> listed_;
    std::filesystem::path state_;
};

}  // namespace jaild::kernel
