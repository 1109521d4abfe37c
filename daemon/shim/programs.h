#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/messages.h"
#include "daemon/shim/child.h"
#include "daemon/shim/children.h"
#include "daemon/shim/loop.h"

namespace jaild::shim {

/// What a program's owner is told: refused, or started and later ended.
struct ProgramEvents {
    std::function<void(pid_t)> started;
    std::function<void(const Refused&)> refused;
    std::function<void(const ChildExit&)> ended;
};

/// Every program that runs in the jail, or on the host for it, through us.
class Programs {
public:
    using Id = std::uint64_t;
    using Stdio = std::array<UniqueFd, 3>;
    static constexpr std::size_t kMax = 256;

    /// `directory` is borrowed.
    Programs(Loop& loop, Children& children, int directory);
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    /// Events come later, never within this call. `terminal`: of LaunchMode::jail.
    Id launch(Launch launch, Stdio stdio, ProgramEvents events,
              ControllingTerminal terminal = ControllingTerminal::none);
    [[nodiscard]] std::size_t count() const { return programs_.size(); }

    /// To each process of the program's session; nothing happens before it started or after it ended.
    void signal(Id id, int number);
    /// SIGTERM to the program alone, which knows best how to end its own; what it leaves of its session is killed.
    void terminate(Id id);
    /// SIGKILL to its session; of a program that is still on its way, as soon as it is there.
    void kill(Id id);
    void kill_all_but(Id spared);

    /// After Children::reap(): kills what helpers left behind that failed or took too long.
    void sweep();
    void expect_strays() { strays_ = true; }
    /// Kills the programs that a shim before us left running since this boot: each pid with its start time.
    void kill_left_behind();

private:
    struct Program {
        ProgramEvents events;
        Launch launch;    ///< without its document
        pid_t child = 0;  ///< the helper, or the program itself on its way
        UniqueFd failure;
        UniqueFd helper_log;
        Loop::TimerId deadline = 0;
        pid_t pid = 0;  ///< 0 until it started
        std::int64_t start = 0;
        bool doomed = false;
        bool swept = false;  ///< its session goes with it
        bool late = false;   ///< the deadline passed
    };
    Result<void> begin_helper(Id id, Program& program, const Stdio& stdio);
    Result<void> begin_child(Id id, Program& program, const Stdio& stdio, ControllingTerminal terminal);
    void helper_ended(Id id, const ChildExit& exit);
    void child_reported(Id id);
    void started(Id id, pid_t pid);
    void refuse(Id id, Refused refused);
    void ended(Id id, const ChildExit& exit);
    void too_late(Id id);
    pid_t take_pid_file(const std::string& name) const;
    void write_down() const;

    Loop& loop_;
    Children& children_;
    int directory_;
    std::string boot_line_;  ///< "boot <id>\n", empty when the kernel does not say
    UniqueFd file_;          ///< `programs`, what a next shim would have to kill: that line, then "<pid> <start time>"
    std::map<Id, Program> programs_;
    Id last_ = 0;
    bool strays_ = false;
};

}  // namespace jaild::shim
