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

/// Whose tree it is. A template's names are for every terminal, and its links stay within it; a jail's own root made
/// the other, with whatever bytes it liked: what any tree could have that lies beneath a directory.
enum class Contents { base, jail };

/// The name of an entry without "./", "//" and a "/" at its end: relative to the tree; "." for the tree itself.
/// Errc::invalid "entry_refused": an absolute name, one with "..", with a control character, that is not UTF-8, or too
/// long; of a jail's, control characters and all bytes are taken. A message shows the name with such bytes as "\x0a".
Result<std::string> clean_name(std::string_view name, Contents contents = Contents::base);

/// The target of a hard link: a name as clean_name() has them, but not the tree itself.
Result<std::string> clean_hard_link(std::string_view entry, std::string_view target,
                                    Contents contents = Contents::base);

/// The target of a symbolic link at `entry` (clean). One that is absolute means the jail's own root. "entry_refused"
/// for a relative one that climbs out of the tree, an empty one, one that is too long, or with bytes as in
/// clean_name(). A jail's may lead anywhere: they mean the jail's own root, and nobody else follows them.
Result<void> check_symbolic_link(std::string_view entry, std::string_view target, Contents contents = Contents::base);

/// What kind of file an entry is; anything else (devices, sockets, a template's FIFOs) is "entry_refused".
enum class EntryKind { file, directory, symbolic_link, hard_link, fifo, other };
Result<void> check_kind(std::string_view entry, EntryKind kind, Contents contents = Contents::base);

/// Bytes and entries of all archives of one import together.
struct Limits {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
};

/// For messages: control characters and what is not UTF-8 as "\x0a"; the beginning of what is longer than 200 bytes.
std::string printable(std::string_view text);

}  // namespace jaild::archive
