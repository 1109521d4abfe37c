#include "core/kernel/memory/programs.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace jaild::kernel::memory {
namespace {

std::string arguments(const Program& program) {
    std::string line;
    for (std::size_t i = 1; i < program.argv.size(); ++i) line += (i > 1 ? " " : "") + program.argv[i];
    return line + '\n';
}

std::string environment(const Program& program) {
    std::string lines = "HOME=/root\nPATH=/sbin:/bin:/usr/sbin:/usr/bin\nUSER=" + program.user + '\n';
    for (const auto& [name, value] : program.environment) lines += name + '=' + value + '\n';
    return lines;
}

int number(const std::string& text) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc() && end == text.data() + text.size() ? value & 0xff : 2;
}

/// False when the reader has gone.
bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

class Player : public RunningProgram {
public:
    Player(Outcome outcome, Stdio stdio, UniqueFd terminal, Pipe stop, Pipe done)
        : outcome_(std::move(outcome)),
          stdio_(std::move(stdio)),
          terminal_(std::move(terminal)),
          stop_(std::move(stop)),
          done_(std::move(done)) {
        thread_ = std::thread([this] { play(); });
    }
    Player(const Player&) = delete;
    Player& operator=(const Player&) = delete;
    ~Player() override {
        (void)kill(SIGKILL);
        terminal_.reset();  // one that nobody took does not keep it writing
        thread_.join();
    }

    [[nodiscard]] int descriptor() const override { return done_.read.get(); }

    Result<ProgramExit> wait() override {
        pollfd ended{.fd = done_.read.get(), .events = POLLIN, .revents = 0};
        while (::poll(&ended, 1, -1) < 0) {
            if (errno != EINTR) return std::unexpected(Error::from_errno("poll", errno));
        }
        const int signal = signal_;
        return ProgramExit{.exit_code = signal != 0 ? 128 + signal : outcome_.exit_code, .signal = signal};
    }

    Result<void> kill(int signal) override {
        int none = 0;
        if (!ended_ && asked_.compare_exchange_strong(none, signal)) stop_.write.reset();
        return {};
    }

    UniqueFd take_terminal() override { return std::move(terminal_); }

private:
    void play() {
        // SIGPIPE belongs to the process: block it here, as write(2) then reports EPIPE.
        sigset_t pipe_signal;
        sigemptyset(&pipe_signal);
        sigaddset(&pipe_signal, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
        if (outcome_.behaviour == Behaviour::ends) {
            (void)write_all(stdio_.output.get(), outcome_.output);
        } else if (!(outcome_.behaviour == Behaviour::copies_input ? copy() : wait_for_stop())) {
            signal_ = asked_.load();
        }
        ended_ = true;
        stdio_ = {};
        done_.write.reset();
    }

    /// Each returns false when it was killed.
    bool wait_for_stop() {
        pollfd stop{.fd = stop_.read.get(), .events = POLLIN, .revents = 0};
        while (::poll(&stop, 1, -1) < 0 && errno == EINTR) {
        }
        return false;
    }

    bool copy() {
        std::array<char, 4096> buffer{};
        for (;;) {
            std::array<pollfd, 2> waiting{pollfd{.fd = stop_.read.get(), .events = POLLIN, .revents = 0},
                                          pollfd{.fd = stdio_.input.get(), .events = POLLIN, .revents = 0}};
            if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
            if (waiting[0].revents != 0) return false;
            const auto got = ::read(stdio_.input.get(), buffer.data(), buffer.size());
            if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (got <= 0) return true;
            if (!write_all(stdio_.output.get(), {buffer.data(), static_cast<std::size_t>(got)})) return true;
        }
    }

    Outcome outcome_;
    Stdio stdio_;
    UniqueFd terminal_;
    Pipe stop_;  ///< its write end is closed to end the program
    Pipe done_;  ///< its write end is closed when it has ended
    std::atomic<int> asked_ = 0;
    std::atomic<int> signal_ = 0;
    std::atomic<bool> ended_ = false;
    std::thread thread_;
};

}  // namespace

Outcome outcome(const Program& program) {
    if (program.argv.empty()) return {.behaviour = Behaviour::missing};
    const auto& path = program.argv.front();
    const auto name = path.substr(path.rfind('/') + 1);
    if (name == "echo") return {.behaviour = Behaviour::ends, .output = arguments(program)};
    if (name == "env") return {.behaviour = Behaviour::ends, .output = environment(program)};
    if (name == "stty") {
        if (!program.terminal) return {.behaviour = Behaviour::ends, .exit_code = 1};
        const auto& size = *program.terminal;
        return {.behaviour = Behaviour::ends,
                .output = std::to_string(size.rows) + ' ' + std::to_string(size.columns) + '\n'};
    }
    if (name == "true") return {.behaviour = Behaviour::ends};
    if (name == "false") return {.behaviour = Behaviour::ends, .exit_code = 1};
    if (name == "exit") {
        return {.behaviour = Behaviour::ends, .exit_code = program.argv.size() > 1 ? number(program.argv[1]) : 0};
    }
    if (name == "cat") return {.behaviour = Behaviour::copies_input};
    if (name == "sleep") return {.behaviour = Behaviour::waits};
    if (name == "missing") return {.behaviour = Behaviour::missing};
    return {};
}

Result<std::unique_ptr<RunningProgram>> play(Outcome outcome, Stdio stdio, std::optional<TerminalSize> terminal) {
    UniqueFd master;
    if (terminal) {
        auto opened = PseudoTerminal::open(*terminal);
        if (!opened) return std::unexpected(opened.error());
        stdio = {};
        stdio.output = UniqueFd(::fcntl(opened->slave.get(), F_DUPFD_CLOEXEC, 0));
        if (!stdio.output) return std::unexpected(Error::from_errno("fcntl", errno));
        stdio.input = std::move(opened->slave);
        master = std::move(opened->master);
    }
    auto stop = Pipe::create();
    if (!stop) return std::unexpected(stop.error());
    auto done = Pipe::create();
    if (!done) return std::unexpected(done.error());
    return std::make_unique<Player>(std::move(outcome), std::move(stdio), std::move(master), *std::move(stop),
                                    *std::move(done));
}

Result<UniqueFd> readable_copy(const std::string& content) {
    std::string path = "/tmp/jaild-memory-XXXXXX";
    UniqueFd written(::mkostemp(path.data(), O_CLOEXEC));
    if (!written) return std::unexpected(Error::from_errno("mkostemp", errno, path));
    UniqueFd read(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    const int saved = errno;
    ::unlink(path.c_str());
    if (!read) return std::unexpected(Error::from_errno("open", saved, path));
    if (!write_all(written.get(), content)) return std::unexpected(Error::from_errno("write", errno, path));
    return read;
}

}  // namespace jaild::kernel::memory
