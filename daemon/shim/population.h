#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "core/base/exit_watch.h"
#include "daemon/shim/children.h"
#include "daemon/shim/log_streams.h"
#include "daemon/shim/log_writer.h"
#include "daemon/shim/loop.h"
#include "daemon/shim/record.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// What lives in a jail that has no command: all of it together is one, from the moment somebody asks for that until
/// nobody is left. Programs that we run there for others do not count, what they leave behind does.
class Population {
public:
    Population(Loop& loop, Children& children, LogStreams& streams, LogWriter& log, Record& record)
        : loop_(loop), children_(children), streams_(streams), log_(log), record_(record) {}
    Population(const Population&) = delete;
    Population& operator=(const Population&) = delete;

    /// Asked again: done already.
    void watch(const Reply& reply);
    /// SIGTERM to each, after `grace` SIGKILL; `done` once nobody is left.
    void stop(std::chrono::milliseconds grace, std::function<void()> done);
    /// Is anybody left?
    void look();
    [[nodiscard]] bool active() const { return active_; }

private:
    void signal(int number);
    void emptied();

    Loop& loop_;
    Children& children_;
    LogStreams& streams_;
    LogWriter& log_;
    Record& record_;
    bool active_ = false;
    Clock::Monotonic began_{};
    std::optional<ExitWatch> one_;  ///< of one that lives: nobody looks for others as long as it does
    Loop::TimerId retry_ = 0;
    std::vector<std::function<void()>> stopping_;
    std::vector<Loop::TimerId> kill_timers_;
};

}  // namespace jaild::shim
