#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/shim/log_streams.h"
#include "daemon/shim/programs.h"
#include "daemon/shim/record.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// exec.start, exec.stop and the host's hooks: programs that run to their end, whether who asked for them lives or not.
/// Asking again meanwhile (a daemon that was started anew) is waiting for the same one.
class Runs {
public:
    Runs(Loop& loop, Programs& programs, LogStreams& streams, Record& record)
        : loop_(loop), programs_(programs), streams_(streams), record_(record) {}
    Runs(const Runs&) = delete;
    Runs& operator=(const Runs&) = delete;

    void run(Run request, const Reply& reply);
    /// One hook at a time: one that still runs when another is asked for is killed, and that other begins after it.
    void run(RunHook request, const Reply& reply);
    [[nodiscard]] bool active() const;

private:
    struct One {
        Programs::Id program = 0;
        bool timed_out = false;
        Loop::TimerId timer = 0;
        std::function<void()> succeeded;  ///< it exited 0 in time; may be empty
        std::optional<RunHook> next;      ///< to begin when no other hook runs
        std::vector<Reply> waiting;
    };
    void begin(One& one, Launch launch, std::int64_t timeout_ms);
    void begin_hooks();
    void remember();
    void answer(One& one, MessageType type, const std::string& body);
    void ended(One& one, const ChildExit& exit);

    Loop& loop_;
    Programs& programs_;
    LogStreams& streams_;
    Record& record_;
    std::array<One, 2> runs_;  ///< [0] exec.stop, [1] exec.start
    std::array<One, kMostHooks> hooks_;
};

}  // namespace jaild::shim
