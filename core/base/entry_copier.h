#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/copy_entry.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// What copies of trees are made of, one entry at a time; for core. Blocking.
namespace jaild::files {

/// Makes entries of a new tree that is out of anybody's reach, from trees that may change meanwhile: no link is
/// followed, no device or FIFO opened. Keeps what copy_tree says. Hard links are links in the copy too.
class EntryCopier {
public:
    enum class Made {
        yes,
        before,    ///< the name is taken in the copy: an earlier look at a changing directory made it
        changing,  ///< it is another thing by now: look again
        no,        ///< a socket or a device, which copies leave out
    };
    /// `top` of the new tree is held by the caller.
    EntryCopier(int top, CopiedBytes copied) : top_(top), copied_(std::move(copied)) {}

    /// Makes what `held` (O_PATH, `name` in `directory`, no directory) is as `path` of the new tree, whose directory is
    /// `target`. It gets owner, mode and times of `seen`, which fstat(2) said of it, or what the caller put there.
    /// Errc::busy "interrupted" when `copied` answered false.
    Result<Made> copy(int held, int directory, const std::string& name, const struct stat& seen, int target,
                      const std::string& path);

private:
    Result<bool> file(int held, const std::string& name, const struct stat& seen, int target);
    Result<bool> link(const std::string& original, const std::string& name, const struct stat& seen, int target);
    Result<bool> symbolic_link(int directory, const std::string& from, const std::string& name, const struct stat& seen,
                               int target);
    Result<bool> fifo(int held, const std::string& name, const struct stat& seen, int target);

    int top_;
    CopiedBytes copied_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> links_{};  ///< device and inode: the first copy
    ContentCopier contents_{};
};

/// Owner, mode, attributes with ACLs, times and flags: of `seen` and of the open file or directory `from`.
Result<void> dress(int from, int to, const struct stat& seen);
/// Errc::busy "interrupted": whoever was asked wants no more of it.
Error interrupted(std::string_view op);

}  // namespace jaild::files
