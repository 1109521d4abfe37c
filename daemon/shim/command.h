#pragma once

#include <functional>
#include <vector>

#include "core/base/clock.h"
#include "daemon/shim/log_streams.h"
#include "daemon/shim/programs.h"
#include "daemon/shim/record.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// The jail's supervised command.
class Command {
public:
    Command(Loop& loop, Programs& programs, LogStreams& streams, LogWriter& log, Record& record);
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    /// A command that runs already, or is on its way, is success.
    void start(Launch launch, const Reply& reply);
    /// SIGTERM, after `grace` SIGKILL; `done` once it is gone, at once when there is none.
    void stop(std::chrono::milliseconds grace, std::function<void()> done);
    void fail(const FailCommand& failure, const Reply& reply);
    [[nodiscard]] bool active() const { return program_ != 0; }
    [[nodiscard]] Programs::Id program() const { return program_; }  ///< 0: none
    /// What a shim before us left running was killed: last_exit is `lost`.
    void record_lost();

private:
    void started(pid_t pid);
    void refused(const Refused& refused);
    void ended(const ChildExit& exit);
    void answer(MessageType type, const std::string& body);
    void gone();

    Loop& loop_;
    Programs& programs_;
    LogStreams& streams_;
    LogWriter& log_;
    Record& record_;
    Programs::Id program_ = 0;  ///< 0: none
    Clock::Monotonic began_{};  ///< it runs since then
    bool unrecorded_ = false;   ///< it runs but could not be written down: it is being killed, nobody was told of it
    std::vector<Reply> starting_;
    std::vector<std::function<void()>> stopping_;
    std::vector<Loop::TimerId> kill_timers_;
};

}  // namespace jaild::shim
