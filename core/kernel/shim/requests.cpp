#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "core/base/spawn.h"
#include "core/kernel/shim/shim_processes.h"
#include "core/kernel/shim/shim_program.h"

/// What a living shim is asked for.
namespace jaild::kernel {
namespace {

using shim::MessageType;
/// Beyond the shim's own limit for getting a program into a jail (30 s).
constexpr Milliseconds kAttachPatience{45'000};

Error unreadable() {
    return Error{.code = Errc::corrupt,
                 .op = "shim",
                 .detail = "an answer of jaild-shim cannot be read",
                 .reason = "shim_failed"};
}

Result<void> expect_done(const Result<shim::Frame>& answer) {
    if (!answer) return std::unexpected(answer.error());
    if (answer->type != MessageType::done) return std::unexpected(unreadable());
    return {};
}

/// Success for `started`.
Result<void> expect_started(const Result<shim::Frame>& answer, const Attacher& attacher, const Program& program) {
    if (!answer) return std::unexpected(answer.error());
    if (answer->type == MessageType::started) return {};
    const auto refused = answer->type == MessageType::refused ? shim::Refused::decode(answer->body) : std::nullopt;
    return std::unexpected(refused ? attacher.explain(program, *refused) : unreadable());
}

/// A program of the host's that was to be run there: why it was not.
Error explain_hook(const std::string& program, const shim::Refused& refused) {
    const int number = static_cast<int>(refused.code);
    const bool to_blame = number == ENOENT || number == ENOTDIR || number == EACCES || number == ENOEXEC ||
                          number == EISDIR || number == ELOOP || number == EPERM || number == E2BIG;
    if (!to_blame) return Error::from_errno("hook", number, refused.text);
    return Error{.code = Errc::invalid,
                 .op = "hook",
                 .detail = program + " cannot be executed on the host: " + std::strerror(number),
                 .reason = kHookNotExecuted};
}

Result<void> hook_ended(const std::string& program, const shim::Ended& ended, Milliseconds timeout) {
    if (ended.timed_out)
        return std::unexpected(Error{
            .code = Errc::busy,
            .op = "hook",
            .detail = program + " did not end within " + std::to_string(timeout.count() / 1000) + " s and was killed",
            .reason = kHookTimedOut});
    if (ended.exit_code == 0) return {};
    return std::unexpected(Error{.code = Errc::kernel,
                                 .op = "hook",
                                 .detail = program + " ended with exit code " + std::to_string(ended.exit_code),
                                 .reason = kHookFailed});
}

Result<Terminal::Request> plain_request(Stdio stdio) {
    Terminal::Request request{.type = MessageType::exec};
    request.descriptors.push_back(std::move(stdio.input));
    request.descriptors.push_back(std::move(stdio.output));
    request.descriptors.push_back(std::move(stdio.error_output));
    for (const auto& one : request.descriptors)
        if (!one)
            return std::unexpected(Error{.code = Errc::kernel, .op = "exec", .detail = "a descriptor is missing"});
    return request;
}

}  // namespace

Result<void> ShimProcesses::reset(JailId id) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    return expect_done(shim->ask(MessageType::reset, {}, kShimPatience));
}

Result<void> ShimProcesses::start_command(JailId id, const Program& program) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    const auto launch = attacher_.prepare(id, program);
    if (!launch) return fail_command(id, launch.error());
    const auto answer = shim->ask(MessageType::start_command, launch->encode(), kAttachPatience);
    auto started = expect_started(answer, attacher_, program);
    return started ? started : fail_command(id, started.error());
}

/// What the program is to blame for is recorded as how the command ended; everything else may go better next time.
Result<void> ShimProcesses::fail_command(JailId id, const Error& why) {
    const bool to_blame = why.code == Errc::invalid || why.reason == "program_too_large";
    if (!to_blame) return std::unexpected(why);
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    const shim::FailCommand fail{.exit_code = exit_code_of(why), .text = "the command was not started: " + why.detail};
    const auto done = expect_done(shim->ask(MessageType::fail_command, fail.encode(), kShimPatience));
    if (!done) return done;
    auto error = why;
    error.code = Errc::invalid;
    error.op = "start_command";
    error.reason = "command_failed";
    return std::unexpected(std::move(error));
}

/// Known to interrupt() while it exists.
class ShimProcesses::Wait {
public:
    Wait(ShimProcesses& processes, JailId id, int socket) : processes_(processes) {
        const std::lock_guard lock(processes_.mutex_);
        self_ = processes_.waits_.emplace(id, socket);
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
        const std::lock_guard lock(processes_.mutex_);
        processes_.waits_.erase(self_);
    }
    [[nodiscard]] bool interrupted() const {
        const std::lock_guard lock(processes_.mutex_);
        return self_->second < 0;
    }

private:
    ShimProcesses& processes_;
    std::multimap<JailId, int>::iterator self_;
};

Result<shim::Frame> ShimProcesses::ask_interruptibly(JailId id, Connection& connection, MessageType type,
                                                     std::string_view body, Milliseconds patience) {
    const Wait wait(*this, id, connection.descriptor());
    auto answer = connection.ask(type, body, patience);
    if (answer || !wait.interrupted()) return answer;
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "shim",
                                 .detail = "it is waited for no longer: something else is wanted of the jail",
                                 .reason = "interrupted"});
}

void ShimProcesses::interrupt(JailId id) {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = waits_.equal_range(id);
    for (auto wait = first; wait != last; ++wait) {
        if (wait->second < 0) continue;
        ::shutdown(wait->second, SHUT_RDWR);  // for the shim: its client went away
        wait->second = -1;
    }
}

Result<void> ShimProcesses::watch_all(JailId id) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    auto done = expect_done(shim->ask(MessageType::watch, {}, kShimPatience));
    if (!done && done.error().reason == "old_shim") return {};
    return done;
}

Result<void> ShimProcesses::stop_command(JailId id, Milliseconds grace) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    const auto stop = shim::StopCommand{.grace_ms = grace.count()};
    return expect_done(ask_interruptibly(id, *shim, MessageType::stop_command, stop.encode(), grace + kShimPatience));
}

Result<void> ShimProcesses::run(JailId id, const Program& program, Milliseconds timeout, bool marks_start) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    auto launch = attacher_.prepare(id, program);
    if (!launch) return std::unexpected(launch.error());
    const shim::Run request{.launch = *std::move(launch), .timeout_ms = timeout.count(), .marks_start = marks_start};
    const auto answer = ask_interruptibly(id, *shim, MessageType::run, request.encode(), timeout + kAttachPatience);
    if (!answer || answer->type != MessageType::ended) return expect_started(answer, attacher_, program);
    const auto ended = shim::Ended::decode(answer->body);
    if (!ended) return std::unexpected(unreadable());
    if (ended->timed_out)
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "run",
                                     .detail = program.argv.front() + " did not end within " +
                                               std::to_string(timeout.count() / 1000) + " s and was killed",
                                     .reason = "timed_out"});
    if (ended->exit_code == 0) return {};
    return std::unexpected(
        Error{.code = Errc::kernel,
              .op = "run",
              .detail = program.argv.front() + " ended with exit code " + std::to_string(ended->exit_code),
              .reason = "start_failed",
              .remedy = "what it said is in the jail's log"});
}

Result<void> ShimProcesses::run_hook(JailId id, model::Hook hook, const HostProgram& program, Milliseconds timeout) {
    shim::RunHook request{.hook = static_cast<std::uint8_t>(hook),
                          .argv = program.argv,
                          .environment = {"PATH=" + std::string(kSystemPath),
                                          "JAIL_ROOT=" + (options_.state_directory / shim::root_of(id)).string()},
                          .timeout_ms = timeout.count(),
                          .success = model::is_of_start(hook) ? shim::Remembered::yes : shim::Remembered::no};
    for (const auto& [name, value] : program.environment) request.environment.push_back(name + "=" + value);
    const auto ask = [&]() -> Result<shim::Frame> {
        auto shim = connect(id);
        if (!shim) return std::unexpected(shim.error());
        return ask_interruptibly(id, *shim, MessageType::run_hook, request.encode(), timeout + kAttachPatience);
    };
    auto answer = ask();
    // One that an older jaild began, and that holds no jail now, makes room for one of ours.
    const bool alone = hook == model::Hook::prestart || hook == model::Hook::poststop;
    if (!answer && answer.error().reason == "old_shim" && alone) {
        if (auto gone = release(id); !gone) return gone;
        if (auto held = hold(id); !held) return held;
        answer = ask();
    }
    if (!answer) return std::unexpected(answer.error());
    const auto ended = answer->type == MessageType::ended ? shim::Ended::decode(answer->body) : std::nullopt;
    if (ended) return hook_ended(program.argv.front(), *ended, timeout);
    const auto refused = answer->type == MessageType::refused ? shim::Refused::decode(answer->body) : std::nullopt;
    return std::unexpected(refused ? explain_hook(program.argv.front(), *refused) : unreadable());
}

Result<std::unique_ptr<Terminal>> ShimProcesses::open_terminal(JailId id, TerminalSize size) {
    const auto held = directory(id);
    if (!held) return std::unexpected(held.error());
    return attacher_.open_terminal(held->get(), size);
}

Result<std::unique_ptr<RunningProgram>> ShimProcesses::exec(JailId id, const Program& program, Stdio stdio) {
    auto launch = attacher_.prepare(id, program);
    if (!launch) return std::unexpected(launch.error());
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    const auto terminal = program.terminal ? open_terminal(id, *program.terminal) : Result<std::unique_ptr<Terminal>>{};
    if (!terminal) return std::unexpected(terminal.error());
    auto request = *terminal ? (*terminal)->request() : plain_request(std::move(stdio));
    if (!request) return std::unexpected(request.error());
    if (const auto sent = shim->send(request->type, launch->encode(), std::move(request->descriptors)); !sent)
        return std::unexpected(sent.error());
    const auto answer = shim->receive(kAttachPatience);
    if (const auto started = expect_started(answer, attacher_, program); !started)
        return std::unexpected(started.error());
    auto master = *terminal ? (*terminal)->master() : Result<UniqueFd>{};
    if (!master) return std::unexpected(master.error());  // the connection goes, and the program with it
    return ShimProgram::create(*std::move(shim), *std::move(master));
}

Result<Completed> ShimProcesses::run_helper(JailId id, const Argv& argv, const HelperOptions& options) {
    auto shim = connect(id);
    if (!shim) return std::unexpected(shim.error());
    const shim::RunHelper request{.argv = argv,
                                  .environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                  .timeout_ms = options.timeout.count(),
                                  .output_limit = static_cast<std::int64_t>(options.output_limit),
                                  .pid_file = options.pid_file.string()};
    // One that a daemon before us began may have to end first.
    const auto answer = shim->ask(MessageType::run_helper, request.encode(), 2 * options.timeout + kShimPatience);
    if (!answer) return std::unexpected(answer.error());
    auto done = answer->type == MessageType::helper_done ? shim::HelperDone::decode(answer->body) : std::nullopt;
    if (!done) return std::unexpected(unreadable());
    if (done->timed_out)
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "run",
                                     .detail = argv.front() + " did not end in time and was killed",
                                     .reason = "timed_out"});
    return Completed{.exit_code = static_cast<int>(done->exit_code),
                     .output = std::move(done->output),
                     .error_output = std::move(done->error_output)};
}

}  // namespace jaild::kernel
