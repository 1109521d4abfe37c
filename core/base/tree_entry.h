#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "core/base/error.h"

/// What remove_tree asks a kernel about one entry of a directory; for core/base.
namespace jaild::files {

/// Which file it is and on which mount: two binds of one filesystem differ in `mount`.
struct EntryIdentity {
    std::uint64_t mount = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool directory = false;
    bool operator==(const EntryIdentity&) const = default;
};

/// Of `name` in `directory`, a symbolic link itself; of `directory` when `name` is empty.
/// Errc::unsupported on a Linux before 5.8, which cannot tell mounts apart.
Result<EntryIdentity> identify(int directory, const std::string& name);

/// Takes away immutable, append-only and undeletable, which keep even root from removing it. Only regular files and
/// directories have them. True when there was something to take away.
Result<bool> clear_flags(int directory, const std::string& name);

}  // namespace jaild::files
