#pragma once

#include <functional>

#include "core/kernel/shim/protocol/state_file.h"
#include "daemon/shim/log_writer.h"
#include "daemon/shim/loop.h"

namespace jaild::shim {

/// The state that outlives us. Whoever changes it saves it before telling anybody.
class Record {
public:
    /// `directory` is borrowed. What is no state file is left behind with a note in the log.
    Record(Loop& loop, LogWriter& log, int directory);
    Record(const Record&) = delete;
    Record& operator=(const Record&) = delete;

    ShimState state;
    /// Writes it, fsync(2) included, then calls on_change. On a full disk the log goes for it. What cannot be written
    /// all the same is tried again every five seconds.
    Result<void> save();
    /// last_exit, with the time of now. `ran`: 0 when nobody knows.
    void set_exit(std::int64_t exit_code, std::int64_t signal, std::string reason, std::chrono::milliseconds ran = {});

    std::function<void()> on_change;

private:
    Loop& loop_;
    LogWriter& log_;
    int directory_;
    Loop::TimerId retry_ = 0;
};

}  // namespace jaild::shim
