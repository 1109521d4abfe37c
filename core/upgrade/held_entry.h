#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Entries of trees that may change while they are looked at; for merge_trees. Blocking.
namespace jaild::upgrade {

enum class Kind { none, file, directory, link, fifo, other };

/// An entry of a directory, held: what it is, it stays.
struct HeldEntry {
    UniqueFd held{};  ///< O_PATH
    struct stat seen {};
    Kind kind = Kind::none;
    std::string link{};  ///< where a symbolic link leads

    [[nodiscard]] bool exists() const { return kind != Kind::none; }
    [[nodiscard]] bool is(Kind which) const { return kind == which; }
};

/// `name` of `directory`; none when it does not exist, or `directory` is -1. `path` is for errors. It must be on
/// `mount`: Errc::busy "mount_beneath".
Result<HeldEntry> hold(int directory, const std::string& name, std::uint64_t mount, const std::string& path);

/// A held directory to read, or a held file.
Result<UniqueFd> open_held(const HeldEntry& entry);

/// Counts entries; an Error ends the comparison.
using CountEntries = std::function<Result<void>(std::size_t)>;

/// What is in an open directory, sorted. Each batch of names is counted while it is read.
Result<std::vector<std::string>> names_in(int directory, const CountEntries& count);

/// Content of a held file, at most `limit` bytes: Errc::exhausted beyond.
Result<std::string> content_of(const HeldEntry& file, std::uint64_t limit);

/// Same kind and content; of directories: the same entries, at most `depth` deep. Owner and mode do not count.
Result<bool> same(const HeldEntry& one, const HeldEntry& other, const CountEntries& count, int depth);

}  // namespace jaild::upgrade
