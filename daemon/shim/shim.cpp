#include "daemon/shim/shim.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "core/kernel/shim/protocol/paths.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {
namespace {

constexpr std::chrono::seconds kEndGrace{10};

std::chrono::milliseconds milliseconds(std::int64_t count) {
    return std::chrono::milliseconds{std::max<std::int64_t>(count, 0)};
}

void malformed(const Reply& reply) {
    reply.fail("malformed", "the request cannot be read");
}

}  // namespace

Shim::Shim(UniqueFd directory, UniqueFd listener)
    : directory_(std::move(directory)),
      log_(directory_.get()),
      record_(loop_, log_, directory_.get()),
      programs_(loop_, children_, directory_.get()),
      streams_(loop_, log_),
      command_(loop_, programs_, streams_, log_, record_),
      population_(loop_, children_, streams_, log_, record_),
      runs_(loop_, programs_, streams_, record_),
      helpers_(
          loop_, children_, [this](pid_t pid) { jail_began(pid); }, [this] { programs_.expect_strays(); }),
      server_(loop_, std::move(listener), [this](Frame frame, std::vector<UniqueFd> descriptors, const Reply& reply) {
          request(std::move(frame), std::move(descriptors), reply);
      }) {
    record_.on_change = [this] { server_.publish(); };
}

void Shim::recover() {
    programs_.kill_left_behind();
    command_.record_lost();
    // No life of a jail goes on with another shim: these are of one that has ended, or is about to.
    if (std::exchange(record_.state.hooks_done, 0U) != 0)
        if (const auto saved = record_.save(); !saved) log_.note(saved.error().to_string());
    const auto pid = static_cast<pid_t>(record_.state.jail_pid);
    if (pid == 0) return;
    const auto boot = boot_id();
    if (boot && *boot != record_.state.jail_boot) return jail_ended();
    auto watched = ExitWatch::create(pid);
    const auto same = is_process(pid, record_.state.jail_start);
    if (same && !*same) return jail_ended();
    if (!watched || !same || !boot) return;  // its end is found by the daemon's own look
    jail_watch_ = *std::move(watched);
    loop_.watch(jail_watch_->descriptor(), POLLIN, [this](short) { jail_ended(); });
}

void Shim::run(int signals) {
    loop_.watch(signals, POLLIN, [this, signals](short) {
        std::array<char, 64> numbers{};
        const auto got = ::read(signals, numbers.data(), numbers.size());
        const auto end = numbers.begin() + std::max<ssize_t>(got, 0);
        if (std::find(numbers.begin(), end, static_cast<char>(SIGTERM)) != end) shut_down(std::nullopt);
        reap();
    });
    loop_.run();
}

void Shim::reap() {
    children_.reap();
    programs_.sweep();
    end_if_empty();
}

void Shim::request(Frame frame, std::vector<UniqueFd> descriptors, const Reply& reply) {
    reap();  // so that nothing is answered from before an end that could be known
    if (ending_ && frame.type != MessageType::shutdown)
        return reply.fail("shutting_down", "this jail is being released");
    if (request_program(frame, descriptors, reply)) return;
    switch (frame.type) {
        case MessageType::stop_command:
            if (const auto stop = StopCommand::decode(frame.body))
                return end_command(milliseconds(stop->grace_ms), [reply] { reply.finish(MessageType::done); });
            return malformed(reply);
        case MessageType::fail_command:
            if (const auto fail = FailCommand::decode(frame.body)) return command_.fail(*fail, reply);
            return malformed(reply);
        case MessageType::run_helper:
            if (auto helper = RunHelper::decode(frame.body)) return helpers_.run(*std::move(helper), reply);
            return malformed(reply);
        case MessageType::watch:
            return watch(reply);
        case MessageType::reset:
            return reset(reply);
        case MessageType::shutdown:
            return shut_down(reply);
        default:
            return reply.fail("unknown_request", "this shim does not know that request");
    }
}

bool Shim::request_program(const Frame& frame, std::vector<UniqueFd>& descriptors, const Reply& reply) {
    const bool launches = frame.type == MessageType::start_command || frame.type == MessageType::run ||
                          frame.type == MessageType::run_hook || frame.type == MessageType::exec ||
                          frame.type == MessageType::exec_terminal;
    if (!launches) return false;
    if (programs_.count() >= Programs::kMax) {
        reply.fail("too_many", "too many programs run in this jail");
        return true;
    }
    if (frame.type == MessageType::run) {
        auto run = Run::decode(frame.body);
        run ? runs_.run(*std::move(run), reply) : malformed(reply);
        return true;
    }
    if (frame.type == MessageType::run_hook) {
        auto run = RunHook::decode(frame.body);
        run ? runs_.run(*std::move(run), reply) : malformed(reply);
        return true;
    }
    auto launch = Launch::decode(frame.body);
    const bool terminal = frame.type == MessageType::exec_terminal;
    // A helper's program has a session that is not of our making.
    if (!launch || (terminal && launch->mode != LaunchMode::jail))
        malformed(reply);
    else if (terminal)
        exec(*std::move(launch), std::move(descriptors), ControllingTerminal::input, reply);
    else if (frame.type == MessageType::exec)
        exec(*std::move(launch), std::move(descriptors), ControllingTerminal::none, reply);
    else
        command_.start(*std::move(launch), reply);
    return true;
}

void Shim::exec(Launch launch, std::vector<UniqueFd> descriptors, ControllingTerminal terminal, const Reply& reply) {
    if (descriptors.size() != 3) return reply.fail("malformed", "exec comes with three descriptors");
    const auto id = programs_.launch(
        std::move(launch), {std::move(descriptors[0]), std::move(descriptors[1]), std::move(descriptors[2])},
        {.started = [reply](pid_t pid) { reply.send(MessageType::started, Started{.pid = pid}.encode()); },
         .refused = [reply](const Refused& refused) { reply.finish(MessageType::refused, refused.encode()); },
         .ended =
             [reply](const ChildExit& exit) {
                 reply.finish(MessageType::ended, Ended{.exit_code = exit.exit_code, .signal = exit.signal}.encode());
             }},
        terminal);
    reply.on_close([this, id] { programs_.kill(id); });
    reply.on_signal([this, id](int number) {
        if (number > 0 && number < NSIG) programs_.signal(id, number);
    });
}

void Shim::watch(const Reply& reply) {
    if (command_.active()) return reply.fail("command_running", "this jail has a command");
    population_.watch(reply);
}

void Shim::end_command(std::chrono::milliseconds grace, std::function<void()> done) {
    population_.active() ? population_.stop(grace, std::move(done)) : command_.stop(grace, std::move(done));
}

void Shim::reset(const Reply& reply) {
    if (command_.active() || population_.active() || runs_.active())
        return reply.fail("command_running", "the jail's command still runs");
    record_.state.command = CommandState::none;
    record_.state.command_pid = 0;
    record_.state.command_start = 0;
    record_.state.start_done = false;
    record_.state.hooks_done = 0;
    if (const auto saved = record_.save(); !saved) return reply.fail("not_recorded", saved.error().to_string());
    reply.finish(MessageType::done);
}

void Shim::shut_down(std::optional<Reply> reply) {
    if (reply) end_replies_.push_back(*reply);
    if (ending_) return;
    ending_ = true;
    // Runs and execs end at once; the command, which may have something to save, gets its time.
    programs_.kill_all_but(command_.program());
    command_.stop(kEndGrace, [] {});
    loop_.after(std::chrono::milliseconds{0}, [this] { end_if_empty(); });
}

void Shim::end_if_empty() {
    if (!ending_ || programs_.count() > 0 || helpers_.active()) return;
    streams_.drain();
    ::unlinkat(directory_.get(), kSocketName, 0);
    for (const auto& reply : std::exchange(end_replies_, {})) reply.finish(MessageType::done);
    loop_.stop();
}

void Shim::jail_began(pid_t pid) {
    if (jail_watch_) loop_.forget(jail_watch_->descriptor());
    jail_watch_.reset();
    record_.state.jail_pid = pid;
    record_.state.jail_start = start_time(pid).value_or(std::nullopt).value_or(0);
    record_.state.jail_boot = boot_id().value_or(std::string());
    children_.add(pid, [this](const ChildExit&) { jail_ended(); });
    // Unwritten it only means that a shim after us would not watch it.
    [[maybe_unused]] const auto saved = record_.save();
}

void Shim::jail_ended() {
    if (jail_watch_) loop_.forget(jail_watch_->descriptor());
    jail_watch_.reset();
    record_.state.jail_pid = 0;
    record_.state.jail_start = 0;
    record_.state.jail_boot.clear();
    [[maybe_unused]] const auto saved = record_.save();
    population_.look();
}

}  // namespace jaild::shim
