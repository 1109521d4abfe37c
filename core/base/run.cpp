#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <functional>

#include "core/base/exit_watch.h"
#include "core/base/spawn.h"
#include "core/base/spawn_process.h"

namespace jaild {
namespace {

using Monotonic = std::chrono::steady_clock;

/// Keeps the SIGPIPE of a write by this thread from the process: blocked, taken back if it became pending, restored.
class WithoutSigpipe {
public:
    WithoutSigpipe() {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~WithoutSigpipe() {
        const timespec now{};
        if (!was_pending_)
            while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
            }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    WithoutSigpipe(const WithoutSigpipe&) = delete;
    WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

private:
    sigset_t pipe_{};
    sigset_t before_{};
    bool was_pending_ = false;
};

/// A child of ours until it was waited for; destroyed before that, it is killed with its process group.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) {
            kill();
            static_cast<void>(wait());
        }
    }
    /// The group as well: what it started itself must not outlive the deadline.
    void kill() const {
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);
    }
    /// Its exit code, 128 + signal when a signal ended it.
    Result<int> wait() {
        int status = 0;
        pid_t done = -1;
        do {
            done = ::waitpid(pid_, &status, 0);
        } while (done < 0 && errno == EINTR);
        pid_ = 0;
        if (done < 0) return std::unexpected(Error::from_errno("waitpid", errno));
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_;
};

Result<void> set_nonblocking(const UniqueFd& fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return std::unexpected(Error::from_errno("fcntl", errno));
    return {};
}

/// One output stream of the program: read until its end, kept up to a limit.
struct Capture {
    UniqueFd fd{};
    std::string kept{};
    std::size_t limit = 0;
    std::function<void(std::string_view)> tell{};

    /// Reads what is there, at most about a megabyte at a time so that nobody starves; closes at the end of the stream.
    void drain() {
        std::array<char, 65536> buffer;
        for (int round = 0; fd && round < 16; ++round) {
            const auto got = ::read(fd.get(), buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return;
            if (got <= 0) {
                fd.reset();
                return;
            }
            kept.append(buffer.data(), std::min(static_cast<std::size_t>(got), limit - kept.size()));
            if (tell) tell({buffer.data(), static_cast<std::size_t>(got)});
        }
    }
};

/// What is still to be written to the program; closes when done or when nobody reads it any more.
struct Feed {
    UniqueFd fd{};
    std::string_view rest{};

    void push() {
        while (fd && !rest.empty()) {
            const auto put = ::write(fd.get(), rest.data(), rest.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0 && errno == EAGAIN) return;
            if (put < 0) {
                fd.reset();
                return;
            }
            rest.remove_prefix(static_cast<std::size_t>(put));
        }
        fd.reset();
    }
};

struct Conversation {
    Feed input;
    Capture output;
    Capture error_output;
};

/// Starts the program with pipes; `conversation` gets our ends of them.
Result<pid_t> start(const Argv& argv, const RunOptions& options, Conversation& conversation) {
    auto in = Pipe::create();
    if (!in) return std::unexpected(in.error());
    auto out = Pipe::create();
    if (!out) return std::unexpected(out.error());
    auto err = Pipe::create();
    if (!err) return std::unexpected(err.error());
    for (const auto* ours : {&in->write, &out->read, &err->read})
        if (auto done = set_nonblocking(*ours); !done) return std::unexpected(done.error());
    conversation.input = Feed{.fd = std::move(in->write), .rest = options.input};
    conversation.output = Capture{.fd = std::move(out->read), .limit = options.output_limit};
    conversation.error_output = Capture{.fd = std::move(err->read), .limit = options.output_limit};
    return spawn_process(argv, options.environment, {in->read.get(), out->write.get(), err->write.get()},
                         Grouping::own_group);
}

/// How often somebody who watches is asked.
constexpr std::chrono::milliseconds kAskEvery{100};

/// Milliseconds to the deadline as poll(2) takes them, rounded up: woken early it would spin.
int poll_timeout(Monotonic::time_point deadline, const RunOptions& options) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now());
    if (options.watch) left = std::min(left, kAskEvery);
    return static_cast<int>(std::clamp<long long>(left.count(), 0, INT_MAX));
}

enum class End { by_itself, late, interrupted };

/// Talks to the program until it has ended, the deadline came, or nobody wants it any more.
Result<End> converse(Conversation& conversation, const ExitWatch& exit, Monotonic::time_point deadline,
                     const RunOptions& options) {
    bool wanted = true;
    if (options.watch)
        for (auto* stream : {&conversation.output, &conversation.error_output})
            stream->tell = [&](std::string_view text) { wanted = options.watch(text) && wanted; };
    for (;;) {
        conversation.input.push();
        // poll(2) passes over a descriptor of -1.
        std::array<pollfd, 4> watched{pollfd{.fd = exit.descriptor(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = conversation.output.fd.get(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = conversation.error_output.fd.get(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = conversation.input.fd.get(), .events = POLLOUT, .revents = 0}};
        const int ready = ::poll(watched.data(), watched.size(), poll_timeout(deadline, options));
        if (ready < 0 && errno != EINTR) return std::unexpected(Error::from_errno("poll", errno));
        const bool ended = ready > 0 && watched[0].revents != 0;
        if (ready > 0 && (ended || watched[1].revents != 0)) conversation.output.drain();
        if (ready > 0 && (ended || watched[2].revents != 0)) conversation.error_output.drain();
        if (options.watch) wanted = options.watch("") && wanted;
        if (!wanted) return End::interrupted;
        // All that it wrote was in the pipes (64 KiB each by default, 1 MiB at most); a child of its own that keeps
        // them open is not waited for.
        if (ended) return End::by_itself;
        if (Monotonic::now() >= deadline) return End::late;
    }
}

Error not_to_its_end(End end, const Argv& argv, const RunOptions& options) {
    if (end == End::interrupted)
        return Error{
            .code = Errc::conflict, .op = "run", .detail = argv[0] + " was interrupted", .reason = "interrupted"};
    return Error{
        .code = Errc::busy,
        .op = "run",
        .detail = argv[0] + " did not end within " + std::to_string(options.timeout.count()) + " ms and was killed",
        .reason = "timeout"};
}

}  // namespace

Result<Completed> run(const Argv& argv, const RunOptions& options) {
    const auto deadline = Monotonic::now() + options.timeout;
    const WithoutSigpipe without_sigpipe;
    Conversation conversation;
    const auto pid = start(argv, options, conversation);
    if (!pid) return std::unexpected(pid.error());
    Child child(*pid);
    const auto exit = ExitWatch::create(*pid);
    if (!exit) return std::unexpected(exit.error());

    const auto end = converse(conversation, *exit, deadline, options);
    if (!end) return std::unexpected(end.error());
    if (*end != End::by_itself) return std::unexpected(not_to_its_end(*end, argv, options));
    // Not waited for yet, it keeps the number of its group.
    if (options.leftovers == Leftovers::killed) child.kill();
    const auto code = child.wait();
    if (!code) return std::unexpected(code.error());
    return Completed{.exit_code = *code,
                     .output = std::move(conversation.output.kept),
                     .error_output = std::move(conversation.error_output.kept)};
}

}  // namespace jaild
