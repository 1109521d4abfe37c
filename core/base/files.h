#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Files beneath a held directory: no name leads out of it, no symbolic link is followed. Blocking.
/// Linux: openat2(2) RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS. FreeBSD: component by component with O_NOFOLLOW
/// (openat(2) O_RESOLVE_BENEATH exists from 13.0 but follows links).
namespace jaild::files {

/// Opens a directory itself (O_DIRECTORY|O_CLOEXEC); symbolic links in `path` are followed: use it for our own state
/// only.
Result<UniqueFd> open_directory(const std::filesystem::path& path);
/// Opens `relative` beneath `directory`. `flags` as open(2); O_NOFOLLOW and O_CLOEXEC are added. A symbolic link, also
/// as the last component and with O_PATH, is Errc::invalid "symbolic_link"; an absolute path, "..", an empty component
/// or one of "." (but for "." alone, the directory itself) is Errc::invalid "invalid_path". Mount points are crossed.
Result<UniqueFd> open_beneath(int directory, const std::filesystem::path& relative, int flags, unsigned mode = 0);
/// The same for an existing regular file. Anything else is refused (Errc::invalid "not_a_file") without being opened:
/// opening a device or a FIFO that a jail's root put there can block or have effects.
Result<UniqueFd> open_file(int directory, const std::filesystem::path& relative, int flags);
/// Makes all missing directories of `relative` beneath `directory` (each with exactly `mode`) and opens the last one.
Result<UniqueFd> make_directories(int directory, const std::filesystem::path& relative, unsigned mode);

/// Reads a whole regular file, at most `limit` bytes (Errc::exhausted beyond).
Result<std::string> read(int directory, const std::filesystem::path& relative, std::size_t limit);
Result<std::string> read(const std::filesystem::path& path, std::size_t limit);
/// Writes by a temporary name, fsync(2), rename(2), fsync of the directory: a reader sees the old or the new content.
/// A crash can leave the temporary one, ".jaild-<random>.tmp", in the same directory. `mode` is set exactly.
Result<void> write_atomic(int directory, const std::filesystem::path& relative, std::string_view content,
                          unsigned mode);
Result<void> write_atomic(const std::filesystem::path& path, std::string_view content, unsigned mode);

/// Everything that was written to the file system of `file` is on disk. FreeBSD knows sync(2) only, which is all of
/// them.
Result<void> sync_filesystem(int file);

/// Removes the tree `name` directly beneath `directory`: openat/unlinkat, never across a mount point or a device
/// (Errc::busy names it). The whole tree is looked through first: nothing is removed when a mount is found. File flags
/// are cleared first where the kernel has them. Memory and descriptors do not grow with the depth of the tree beyond a
/// name for each level. A missing tree is success.
Result<void> remove_tree(int directory, const std::string& name);
/// All that is in `directory`, each by remove_tree; the directory stays.
Result<void> empty_directory(int directory);
Result<bool> is_empty(int directory);

}  // namespace jaild::files
