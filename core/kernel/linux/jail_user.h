#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace jaild::kernel {

/// A user of a jail's own passwd(5) and group(5).
struct JailUser {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;  ///< supplementary, without gid
    std::string name;
    std::string home;
    std::string shell;
    bool operator==(const JailUser&) const = default;
};

/// Looks a user up by name or number. The files belong to the jail's root user, so nothing in them is trusted: lines
/// that are not exactly as passwd(5) says are no lines. The first entry counts. Errc::not_found. Pure.
Result<JailUser> find_user(std::string_view passwd, std::string_view group, const std::string& user);

/// The same for the files beneath a jail's root, read without following any link out of or in it, at most 1 MiB each. A
/// missing group file is an empty one; without a passwd file there is a `root` (and 0) all the same. Blocking.
Result<JailUser> find_user_in(int root, const std::string& user);

}  // namespace jaild::kernel
