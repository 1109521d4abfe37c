#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "daemon/shim/log_writer.h"
#include "daemon/shim/loop.h"

namespace jaild::shim {

/// The pipes through which programs write to the jail's log.
class LogStreams {
public:
    LogStreams(Loop& loop, LogWriter& log) : loop_(loop), log_(log) {}
    LogStreams(const LogStreams&) = delete;
    LogStreams& operator=(const LogStreams&) = delete;

    /// Descriptors for 0, 1 and 2 of a program: nothing to read, and two pipes.
    Result<std::array<UniqueFd, 3>> open();
    /// Reads all that programs have written up to now, so that it is in the log before their end is told. Bounded, for
    /// what they left behind may write on.
    void drain();

private:
    struct Stream {
        UniqueFd pipe;
        LineSplitter lines;
        Loop::TimerId flush_timer = 0;
    };
    UniqueFd open_one(LogStream stream, Result<void>& done);
    /// At most `budget` bytes; false at its end, and then the stream is gone.
    bool read_some(int fd, std::size_t budget);

    Loop& loop_;
    LogWriter& log_;
    std::map<int, Stream> streams_;
};

}  // namespace jaild::shim
