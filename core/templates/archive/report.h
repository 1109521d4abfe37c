#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/error.h"

/// What jaild-archive says to jaild, line by line on its standard output. Pure.
namespace jaild::archive {

/// How far it is. Bytes of files and entries are of this archive.
struct Count {
    std::uint64_t read = 0;  ///< bytes of the archive
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    bool operator==(const Count&) const = default;
};

/// The last line of one that succeeded.
struct Done {
    Count count;
    std::string sha256;  ///< of all that was read
    bool operator==(const Done&) const = default;
};

/// Something could not be kept (an attribute that this file system has no place for).
struct Warning {
    std::string text;
    bool operator==(const Warning&) const = default;
};

/// What an exported jail's archive begins with. Nothing is unpacked before whoever reads it answers kGoOn.
struct Metadata {
    std::string text;
    bool operator==(const Metadata&) const = default;
};
inline constexpr char kGoOn = '+';
inline constexpr std::size_t kMetadataBytes = 256 << 10;

using Report = std::variant<Count, Done, Warning, Metadata, Error>;

inline constexpr std::size_t kLineBytes = kMetadataBytes * 4 / 3 + 4096;

/// With its line break. Texts are made printable.
std::string to_line(const Count& count);
std::string to_line(const Done& done);
std::string to_line(const Warning& warning);
/// In base64.
std::string to_line(const Metadata& metadata);
/// The last line of one that failed: code, reason, errno, detail and remedy.
std::string to_line(const Error& error);

/// A line without its break. Nothing for one that jaild-archive does not write. An Error's reason is one of the known
/// ones: it lives as long as the program.
std::optional<Report> parse_line(std::string_view line);

}  // namespace jaild::archive
