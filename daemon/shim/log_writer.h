#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/log_format.h"

namespace jaild::shim {

/// Writes the jail's log (log_format.h). A disk that takes no more loses records, never the shim: the next one that
/// fits is preceded by a note of how much.
class LogWriter {
public:
    /// `directory` is borrowed. The log is there from now on; if it cannot be opened that is tried with each record.
    explicit LogWriter(int directory) : directory_(directory) { ready(); }

    void record(LogStream stream, bool goes_on, std::string_view text);
    /// Lines of jaild's own.
    void note(std::string_view text);
    /// Gives the disk back what the log takes of it, for what matters more.
    void give_up();

private:
    void write(std::string_view record);
    bool ready();
    void rotate();

    int directory_;
    UniqueFd file_;
    std::int64_t size_ = 0;
    std::uint64_t lost_ = 0;
};

/// Makes records of the bytes of one program's one stream.
class LineSplitter {
public:
    LineSplitter(LogWriter& log, LogStream stream) : log_(&log), stream_(stream) {}
    /// Bytes in any pieces.
    void append(std::string_view bytes);
    /// Writes what waits for its newline, as a piece of a line, or as the end of one.
    void flush(bool ended);
    [[nodiscard]] bool waiting() const { return !text_.empty(); }

private:
    LogWriter* log_;
    LogStream stream_;
    std::string text_;
    bool begun_ = false;  ///< a piece of this line is written already
};

}  // namespace jaild::shim
