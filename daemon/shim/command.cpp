#include "daemon/shim/command.h"

#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {

Command::Command(Loop& loop, Programs& programs, LogStreams& streams, LogWriter& log, Record& record)
    : loop_(loop), programs_(programs), streams_(streams), log_(log), record_(record) {}

void Command::start(Launch launch, const Reply& reply) {
    if (record_.state.command == CommandState::running)
        return reply.finish(MessageType::started, Started{.pid = record_.state.command_pid}.encode());
    starting_.push_back(reply);
    if (active()) return;
    auto stdio = streams_.open();
    if (!stdio)
        return answer(
            MessageType::refused,
            Refused{.stage = Stage::execute, .code = stdio.error().sys, .text = stdio.error().to_string()}.encode());
    unrecorded_ = false;
    program_ = programs_.launch(std::move(launch), *std::move(stdio),
                                {.started = [this](pid_t pid) { started(pid); },
                                 .refused = [this](const Refused& why) { refused(why); },
                                 .ended = [this](const ChildExit& exit) { ended(exit); }});
}

void Command::started(pid_t pid) {
    began_ = Clock::system().monotonic();
    const auto before = record_.state;
    record_.state.command = CommandState::running;
    record_.state.command_pid = pid;
    record_.state.command_start = start_time(pid).value_or(std::nullopt).value_or(0);
    const auto saved = record_.save();
    if (saved) return answer(MessageType::started, Started{.pid = pid}.encode());
    // What is not written down cannot be found again after a crash: it must not run.
    record_.state = before;
    unrecorded_ = true;
    programs_.kill(program_);
    answer(MessageType::refused,
           Refused{.stage = Stage::state, .code = saved.error().sys, .text = saved.error().to_string()}.encode());
}

void Command::refused(const Refused& refused) {
    program_ = 0;
    answer(MessageType::refused, refused.encode());
    gone();
}

void Command::ended(const ChildExit& exit) {
    program_ = 0;
    streams_.drain();
    if (!unrecorded_) {
        record_.state.command = CommandState::exited;
        record_.state.command_pid = 0;
        record_.state.command_start = 0;
        record_.set_exit(exit.exit_code, exit.signal, exit.signal != 0 ? "signaled" : "exited",
                         std::chrono::ceil<std::chrono::milliseconds>(Clock::system().monotonic() - began_));
        if (const auto saved = record_.save(); !saved) log_.note(saved.error().to_string());
    }
    gone();
}

void Command::answer(MessageType type, const std::string& body) {
    for (const auto& reply : std::exchange(starting_, {})) reply.finish(type, body);
}

void Command::gone() {
    for (const auto timer : std::exchange(kill_timers_, {})) loop_.cancel(timer);
    for (const auto& done : std::exchange(stopping_, {})) done();
}

void Command::stop(std::chrono::milliseconds grace, std::function<void()> done) {
    if (!active()) return done();
    stopping_.push_back(std::move(done));
    programs_.terminate(program_);
    kill_timers_.push_back(loop_.after(grace, [this, id = program_] { programs_.kill(id); }));
}

void Command::fail(const FailCommand& failure, const Reply& reply) {
    if (active()) return reply.fail("command_running", "the command runs");
    log_.note(failure.text);
    record_.state.command = CommandState::exited;
    record_.set_exit(failure.exit_code, 0, "failed_to_start");
    if (const auto saved = record_.save(); !saved) return reply.fail("not_recorded", saved.error().to_string());
    reply.finish(MessageType::done);
}

void Command::record_lost() {
    if (record_.state.command != CommandState::running) return;
    record_.state.command = CommandState::exited;
    record_.state.command_pid = 0;
    record_.state.command_start = 0;
    record_.set_exit(128 + 9, 9, "lost");
    log_.note("the process that held this jail was killed: its command was stopped");
    if (const auto saved = record_.save(); !saved) log_.note(saved.error().to_string());
}

}  // namespace jaild::shim
