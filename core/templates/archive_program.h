#pragma once

#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/templates/archive/entry_rules.h"
#include "core/templates/archive/report.h"

namespace jaild::templates {

/// jaild-archive, from jaild's side. Blocking.
class ArchiveProgram {
public:
    explicit ArchiveProgram(std::filesystem::path program) : program_(std::move(program)) {}

    /// What is seen of it while it runs: a Count or a Warning.
    using Watch = std::function<void(const archive::Report&)>;

    /// Unpacks the archive on `source` into `directory`; none of the two is closed. `interrupted` is asked several
    /// times a second: true kills the program, Errc::conflict "interrupted". Else its own Errors; Errc::kernel
    /// "helper_failed" when it ends without one.
    Result<archive::Done> unpack(int source, int directory, const archive::Limits& limits, const Watch& watch,
                                 const std::function<bool()>& interrupted) const;

    /// Writes the tree of a jail that is down, or of a snapshot, to `target` (a file, a pipe or a socket, none is
    /// closed), with `metadata` (at most kMetadataBytes) before it and a checksum behind. Memory does not grow with the
    /// tree. Errc::busy "mount_beneath", "tree_changing"; Errc::kernel "reader_gone" when nobody reads `target` any
    /// more. `interrupted` as above.
    Result<archive::Done> pack(int directory, const std::string& metadata, int target, const Watch& watch,
                               const std::function<bool()>& interrupted) const;

    /// Asked once, with the metadata, before anything is unpacked; an Error ends it, and is the answer.
    using Accept = std::function<Result<void>(const std::string& metadata)>;
    /// Unpacks what pack() wrote from `source`, which need not be seekable, into the empty directory `root` in
    /// `directory`, which `accept` makes at the latest; nothing else of the host is seen meanwhile. Errc::invalid
    /// "no_export" for another archive, "archive_incomplete" for one that was cut off, "archive_damaged" for one that
    /// its checksum does not fit: what was unpacked is of no use then.
    Result<archive::Done> unpack_jail(int source, int directory, const archive::Limits& limits, const Accept& accept,
                                      const Watch& watch, const std::function<bool()>& interrupted) const;

private:
    std::filesystem::path program_;
};

}  // namespace jaild::templates
