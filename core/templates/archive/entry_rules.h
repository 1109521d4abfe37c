#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

/// What an archive may hold, judged by its texts alone: pure. Whatever is refused is refused with the whole archive,
/// for nobody can say what else it wants.
namespace jaild::archive {

inline constexpr std::size_t kNameBytes = 255;   ///< of one component; NAME_MAX of both systems
inline constexpr std::size_t kPathBytes = 1023;  ///< MAXPATHLEN of FreeBSD less one
inline constexpr std::size_t kTargetBytes = 1023;

/// The name of an entry without "./", "//" and a "/" at its end: relative to the tree; "." for the tree itself.
/// Errc::invalid "entry_refused": an absolute name, one with "..", with a control character, that is not UTF-8, or too
/// long. A message shows the name with such bytes as "\x0a".
Result<std::string> clean_name(std::string_view name);

/// The target of a hard link: a name as clean_name() has them, but not the tree itself.
Result<std::string> clean_hard_link(std::string_view entry, std::string_view target);

/// The target of a symbolic link at `entry` (clean). One that is absolute means the jail's own root. "entry_refused"
/// for a relative one that climbs out of the tree, an empty one, one that is too long, or with bytes as in
/// clean_name().
Result<void> check_symbolic_link(std::string_view entry, std::string_view target);

/// What kind of file an entry is; anything else (devices, FIFOs, sockets) is "entry_refused".
enum class EntryKind { file, directory, symbolic_link, hard_link, other };
Result<void> check_kind(std::string_view entry, EntryKind kind);

/// Bytes and entries of all archives of one import together.
struct Limits {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
};

/// For messages: control characters and what is not UTF-8 as "\x0a"; the beginning of what is longer than 200 bytes.
std::string printable(std::string_view text);

}  // namespace jaild::archive
