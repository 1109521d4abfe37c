#pragma once

#include <array>
#include <vector>

#include "daemon/shim/log_streams.h"
#include "daemon/shim/programs.h"
#include "daemon/shim/record.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// exec.start and exec.stop: programs that run to their end, whether who asked for them lives or not. Asking again
/// meanwhile (a daemon that was started anew) is waiting for the same one.
class Runs {
public:
    Runs(Loop& loop, Programs& programs, LogStreams& streams, Record& record)
        : loop_(loop), programs_(programs), streams_(streams), record_(record) {}
    Runs(const Runs&) = delete;
    Runs& operator=(const Runs&) = delete;

    void run(Run request, const Reply& reply);
    [[nodiscard]] bool active() const { return runs_[0].program != 0 || runs_[1].program != 0; }

private:
    struct One {
        Programs::Id program = 0;
        bool timed_out = false;
        Loop::TimerId timer = 0;
        std::vector<Reply> waiting;
    };
    void answer(One& one, MessageType type, const std::string& body);
    void ended(bool marks_start, const ChildExit& exit);

    Loop& loop_;
    Programs& programs_;
    LogStreams& streams_;
    Record& record_;
    std::array<One, 2> runs_;  ///< [0] exec.stop, [1] exec.start
};

}  // namespace jaild::shim
