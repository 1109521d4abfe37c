#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/pseudo_terminal.h"
#include "core/base/unique_fd.h"
#include "core/base/units.h"
#include "core/kernel/scope.h"
#include "core/model/hooks.h"
#include "core/model/status.h"

namespace jaild::kernel {

enum class CommandState { none, running, exited };

/// A jail's shim, as its process, lock file and socket say.
struct ObservedShim {
    JailId id;
    bool alive = false;  ///< pid + start time + lock all agree
    std::int64_t pid = 0;
    CommandState command = CommandState::none;  ///< of this incarnation
    std::int64_t command_pid = 0;
    std::optional<model::LastExit> last_exit;  ///< kept beyond the incarnation
    bool start_done = false;                   ///< exec.start of this incarnation ran and exited 0
    model::HookSet hooks_done{};               ///< since this shim was started: of a start, ran and exited 0
    bool operator==(const ObservedShim&) const = default;
};

/// A program to be run inside a jail.
struct Program {
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;  ///< beside PATH, HOME, USER, SHELL and TERM, which have defaults
    std::string user = "root";                       ///< looked up in the jail's own passwd
    std::string directory = "/";
    /// exec() only: a pseudo terminal of this size is its 0, 1 and 2 and the controlling terminal of its session.
    std::optional<TerminalSize> terminal{};
};

/// A program of the host's, run there as root for a jail.
struct HostProgram {
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;  ///< beside PATH and JAIL_ROOT, and nothing else
};

/// A hook ran, or could not be executed, and that is its own fault: to be told, and not to be tried for ever.
/// The reasons of such an Error.
inline constexpr std::string_view kHookFailed = "hook_failed";
inline constexpr std::string_view kHookTimedOut = "hook_timed_out";
inline constexpr std::string_view kHookNotExecuted = "hook_not_executed";
inline bool is_of_hook(const Error& error) {
    return error.reason == kHookFailed || error.reason == kHookTimedOut || error.reason == kHookNotExecuted;
}

/// Descriptors for 0, 1 and 2, taken over. Of a program with a terminal: not used.
struct Stdio {
    UniqueFd input;
    UniqueFd output;
    UniqueFd error_output;
};

struct ProgramExit {
    int exit_code = 0;  ///< 128 + signal when a signal ended it
    int signal = 0;
};

/// A running program of somebody's. Destroying it kills the program with its session, if it still runs.
class RunningProgram {
public:
    virtual ~RunningProgram() = default;
    /// Readable (poll(2)) when the exit is known or the shim is gone.
    [[nodiscard]] virtual int descriptor() const = 0;
    /// Does not block once descriptor() is readable. Errc::kernel "lost" when the shim went away.
    virtual Result<ProgramExit> wait() = 0;
    /// Signal the program's session.
    virtual Result<void> kill(int signal) = 0;
    /// The master of its terminal, once; empty of a program without one. Whoever closes it hangs the terminal up. At
    /// the end, when no process has the terminal open, it reads EIO (Linux) or the end of file (FreeBSD).
    virtual UniqueFd take_terminal() { return {}; }
};

/// The processes that jaild-shim holds. Blocking and idempotent: on a jail's worker; exec() on any thread but the I/O
/// one.
class Processes {
public:
    virtual ~Processes() = default;
    virtual Result<std::vector<ObservedShim>> list(Scope scope) = 0;
    /// Starts the jail's shim unless it lives. A command that a dead shim left behind is recorded as `lost` first.
    virtual Result<void> hold(JailId id) = 0;
    /// Forgets the command's, exec.start's and the hooks' state of the last incarnation, not last_exit: the next one
    /// runs them again.
    virtual Result<void> reset(JailId id) = 0;
    /// Starts the supervised command; its output goes to the jail's log. Success: it was executed. A program that
    /// cannot be executed: Errc::invalid "command_failed", recorded as last_exit "failed_to_start".
    virtual Result<void> start_command(JailId id, const Program& program) = 0;
    /// All that lives in the jail, but for programs of exec() that run still, is its command from now on: it is
    /// `running`, without a pid, until nobody is left, and has `exited` then, with last_exit "emptied". Success also
    /// with a shim that is too old for it; then nothing is known of its end.
    virtual Result<void> watch_all(JailId id) = 0;
    /// SIGTERM, up to `grace`, then SIGKILL; returns when it is gone. To each process of a jail of watch_all().
    virtual Result<void> stop_command(JailId id, Milliseconds grace) = 0;
    /// exec.start and exec.stop: run to the end with output to the jail's log. Errc::busy after `timeout` (killed),
    /// Errc::kernel "start_failed" with the exit code otherwise. `marks_start`: remember success as start_done.
    virtual Result<void> run(JailId id, const Program& program, Milliseconds timeout, bool marks_start) = 0;
    /// A program of the host's, with output to the jail's log, to its end; its shim is there, a jail need not be. One
    /// at a time: asking again waits for the one that runs, another hook kills that one first. A hook of the start that
    /// exited 0 is remembered in hooks_done. Killed with its session after `timeout`: Errc::busy "hook_timed_out".
    /// Errc::kernel "hook_failed" with the exit code, Errc::invalid "hook_not_executed".
    virtual Result<void> run_hook(JailId id, model::Hook hook, const HostProgram& program, Milliseconds timeout) = 0;
    /// A stop_command(), run() or run_hook() of this jail that is under way on another thread returns soon, with
    /// Errc::busy "interrupted"; what it waits for goes on, and asking again waits for the same. Any thread; never
    /// blocks for long.
    virtual void interrupt(JailId id) = 0;
    /// Runs a program beside the command. Errc::invalid: no such user, directory or program in the jail. With a
    /// terminal also Errc::unsupported "old_shim", Errc::conflict "no_terminal".
    virtual Result<std::unique_ptr<RunningProgram>> exec(JailId id, const Program& program, Stdio stdio) = 0;
    /// The jail's log (command, exec.start, exec.stop), open for reading. Lines survive the daemon and the jail.
    virtual Result<UniqueFd> open_log(JailId id) = 0;
    /// Ends the shim after its command; the log and last_exit stay.
    virtual Result<void> release(JailId id) = 0;
};

}  // namespace jaild::kernel
