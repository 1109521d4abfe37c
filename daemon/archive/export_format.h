#pragma once

#include <archive_entry.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/sha256.h"

/// A jail's archive, as pack() writes it and unpack_jail() reads it: pax, compressed,
///
///     jaild-export.json   what the caller says of the jail
///     root                the jail's tree; hard links lead to names beneath root too
///     root/…
///     jaild-export.sum    the checksum of all before: an archive without it was cut off
namespace jaild::archive {

inline constexpr std::string_view kMetadataName = "jaild-export.json";
inline constexpr std::string_view kRootName = "root";
inline constexpr std::string_view kSumName = "jaild-export.sum";
inline constexpr std::size_t kSumBytes = 256;

/// What is in an archive, as far as both sides see it alike: kinds, names, links, owners, modes, times and contents.
/// Against accidents: whoever can change an archive can change its sum.
class EntryDigest {
public:
    /// `name` and the target of a hard link as clean_name() has them.
    void add(archive_entry* entry, std::string_view name);
    /// Contents in order, without what lies in holes.
    void add_data(std::string_view data);
    /// What is in kSumName. Nothing more may be added.
    std::string finish();

private:
    void text(std::string_view value);
    void number(std::int64_t value);

    Sha256 hash_{};
    std::uint64_t entries_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace jaild::archive
