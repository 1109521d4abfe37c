#pragma once

#include <optional>
#include <vector>

#include "core/base/exit_watch.h"
#include "core/base/unique_fd.h"
#include "daemon/shim/children.h"
#include "daemon/shim/command.h"
#include "daemon/shim/helpers.h"
#include "daemon/shim/log_streams.h"
#include "daemon/shim/log_writer.h"
#include "daemon/shim/loop.h"
#include "daemon/shim/population.h"
#include "daemon/shim/programs.h"
#include "daemon/shim/record.h"
#include "daemon/shim/runs.h"
#include "daemon/shim/server.h"

namespace jaild::shim {

/// One jail's shim: everything that it owns, and what it answers to each request. One thread.
class Shim {
public:
    /// `directory` is the shim's own, held for life. The lock is taken already.
    Shim(UniqueFd directory, UniqueFd listener);
    Shim(const Shim&) = delete;
    Shim& operator=(const Shim&) = delete;

    /// Puts away what a shim before us left.
    void recover();
    /// Until it is told to end. `signals` is readable after SIGCHLD or SIGTERM, and gives their numbers as bytes.
    void run(int signals);

private:
    void request(Frame frame, std::vector<UniqueFd> descriptors, const Reply& reply);
    bool request_program(const Frame& frame, std::vector<UniqueFd>& descriptors, const Reply& reply);
    void exec(Launch launch, std::vector<UniqueFd> descriptors, ControllingTerminal terminal, const Reply& reply);
    void watch(const Reply& reply);
    void end_command(std::chrono::milliseconds grace, std::function<void()> done);
    void reset(const Reply& reply);
    void shut_down(std::optional<Reply> reply);
    void end_if_empty();
    void reap();
    void jail_began(pid_t pid);
    void jail_ended();

    UniqueFd directory_;
    Loop loop_;
    Children children_;
    LogWriter log_;
    Record record_;
    Programs programs_;
    LogStreams streams_;
    Command command_;
    Population population_;
    Runs runs_;
    Helpers helpers_;
    std::optional<ExitWatch> jail_watch_;  ///< of a jail's first process that is not our child
    bool ending_ = false;
    std::vector<Reply> end_replies_;
    Server server_;  // last: its connections go before what they ask for
};

}  // namespace jaild::shim
