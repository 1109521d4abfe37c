#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>

#include "core/base/error.h"

/// What copy_tree asks a kernel about one file; for core/base. Blocking.
namespace jaild::files {

/// True while the copy shall go on; told how many bytes were just copied.
using CopiedBytes = std::function<bool(std::uint64_t)>;

/// Contents of regular files, with their holes. Remembers what the two file systems cannot do.
class ContentCopier {
public:
    /// At most the `size` that fstat(2) said: a file that grows for ever ends too. False when `copied` said so.
    Result<bool> copy(int from, int to, const struct stat& seen, const CopiedBytes& copied);

private:
    Result<bool> extents(int from, int to, off_t size, const CopiedBytes& copied);
    Result<bool> range(int from, int to, off_t begin, off_t end, const CopiedBytes& copied);

    [[maybe_unused]] bool clone_ = true;  ///< FICLONE, Linux
    bool range_ = true;  ///< copy_file_range(2)
};

/// Extended attributes and ACLs, of two open files of the same kind. Linux: O_PATH will do for both.
Result<void> copy_attached(int from, int to);

/// File flags (chflags(2)) of what `seen` describes; the last thing that is set. Nothing on Linux.
Result<void> set_flags(int file, const struct stat& seen);
/// Of `name` in `directory`, a symbolic link itself.
Result<void> set_flags(int directory, const char* name, const struct stat& seen);

}  // namespace jaild::files
