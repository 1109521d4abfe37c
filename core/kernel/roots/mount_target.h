#pragma once

#include <filesystem>

#include "core/base/error.h"

namespace jaild::kernel {

/// Nothing to mount on, in a directory that is not ours to write to: Errc::not_found "mount_point_missing".
inline Error mount_point_missing(const std::filesystem::path& target) {
    return {.code = Errc::not_found,
            .op = "mount",
            .detail = "there is no directory " + target.string() +
                      " to mount on, and jaild makes none in a directory that is not its own",
            .reason = "mount_point_missing",
            .remedy = "make it"};
}

}  // namespace jaild::kernel
