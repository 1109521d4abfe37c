#pragma once

#include <sys/types.h>

#include <filesystem>

#include "core/model/host.h"

namespace jaild::kernel {

/// A line of `jaildctl doctor`: users of the host must not get at what a jail's root leaves in its directory,
/// set-user-ID programs above all. `owner` and `mode` as stat(2) has them. Pure.
model::Check judge_state_directory(const std::filesystem::path& state, uid_t owner, mode_t mode);
/// The same of the directory as it is. Blocking.
model::Check check_state_directory(const std::filesystem::path& state);

}  // namespace jaild::kernel
