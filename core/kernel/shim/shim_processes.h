#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "core/base/spawn.h"
#include "core/kernel/processes.h"
#include "core/kernel/shim/attacher.h"
#include "core/kernel/shim/connection.h"
#include "core/kernel/shim/shim_watch.h"

namespace jaild::kernel {

struct HelperOptions {
    Milliseconds timeout{30'000};  ///< then SIGKILL and Errc::busy, as run() of core/base/spawn.h
    std::size_t output_limit = shim::kMaxHelperOutput;
    std::filesystem::path pid_file{};  ///< where the helper writes the pid of the jail's first process, if it makes it
};

/// The processes of our jails, held by one jaild-shim each, on both systems.
class ShimProcesses : public Processes {
public:
    struct Options {
        std::filesystem::path state_directory;  ///< absolute
        std::filesystem::path shim;             ///< the program jaild-shim
    };
    /// `attacher` is borrowed.
    static Result<std::unique_ptr<ShimProcesses>> create(const Options& options, Attacher& attacher);
    /// The shims live on; programs of exec() that still run end with their own handles.
    ~ShimProcesses() override;

    Result<std::vector<ObservedShim>> list(Scope scope) override;
    Result<void> hold(JailId id) override;
    Result<void> reset(JailId id) override;
    Result<void> start_command(JailId id, const Program& program) override;
    Result<void> watch_all(JailId id) override;
    Result<void> stop_command(JailId id, Milliseconds grace) override;
    Result<void> run(JailId id, const Program& program, Milliseconds timeout, bool marks_start) override;
    Result<void> run_hook(JailId id, model::Hook hook, const HostProgram& program, Milliseconds timeout) override;
    void interrupt(JailId id) override;
    Result<std::unique_ptr<RunningProgram>> exec(JailId id, const Program& program, Stdio stdio) override;
    /// Its format: core/kernel/shim/protocol/log_format.h.
    Result<UniqueFd> open_log(JailId id) override;
    Result<void> release(JailId id) override;

    /// Runs a program of the host as a descendant of the jail's shim, to its end; what it leaves behind becomes the
    /// shim's child. One at a time for each jail. With `pid_file` the shim watches the process that is named there: its
    /// end is the end of the jail. Without one, nothing may be left behind. Errors as run() of core/base/spawn.h.
    Result<Completed> run_helper(JailId id, const Argv& argv, const HelperOptions& options);

    /// Kernel::watch(): whenever a command ends, a jail's first process ends, or a shim goes away. Once.
    Result<void> watch(std::function<void(JailId)> on_change);

private:
    ShimProcesses(Options options, Attacher& attacher, UniqueFd state, UniqueFd watch_state);
    [[nodiscard]] Result<UniqueFd> directory(JailId id) const;
    [[nodiscard]] Result<Connection> connect(JailId id) const;
    [[nodiscard]] Result<std::optional<ObservedShim>> look(JailId id) const;
    [[nodiscard]] Result<std::vector<JailId>> ids() const;
    Result<std::unique_ptr<Terminal>> open_terminal(JailId id, TerminalSize size);
    class Wait;
    /// connection.ask() until interrupt(id).
    Result<shim::Frame> ask_interruptibly(JailId id, Connection& connection, shim::MessageType type,
                                          std::string_view body, Milliseconds patience);
    Result<void> spawn_shim(JailId id, int directory);
    Result<void> fail_command(JailId id, const Error& why);
    /// Waits for those that have ended; answers which have not.
    std::set<pid_t> wait_for_children();

    Options options_;
    Attacher& attacher_;
    UniqueFd state_;
    ShimWatch watch_;
    std::mutex mutex_;
    std::multimap<JailId, int> waits_;  ///< sockets at which ask_interruptibly() waits; -1: interrupted
    std::set<pid_t> children_;          ///< shims that this daemon started and did not wait for yet
};

}  // namespace jaild::kernel
