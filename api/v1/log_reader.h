#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/log_format.h"

namespace jaild::api::v1 {

/// What the programs wrote; or the records as they are in the file, with their time and stream.
enum class LogForm { text, records };

/// Reads a jail's log from one place on. Blocking; one thread at a time.
class LogReader {
public:
    /// An empty `file`: nothing was written yet.
    LogReader(UniqueFd file, LogForm form) : file_(std::move(file)), form_(form) {}

    /// Goes to the last `lines` records of what is there now.
    Result<void> seek_to_last(std::size_t lines);
    /// The next piece; empty at the end of what is there now.
    Result<std::string> read();
    /// Goes on in `file`, the log as it is under its name now: the same file, a copy of it that has grown, or after a
    /// rotation a new one, which is read when the old one has no more.
    void follow_to(UniqueFd file);

private:
    Result<std::string> read_at(int file, std::int64_t offset, std::size_t size) const;
    [[nodiscard]] bool is_continued_by(int file) const;

    UniqueFd file_;
    UniqueFd next_;
    LogForm form_;
    std::int64_t offset_ = 0;
    shim::LogText text_;
};

}  // namespace jaild::api::v1
