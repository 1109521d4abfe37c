#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <memory>

#include "core/base/offload.h"
#include "core/base/utf8.h"
#include "core/health/probe.h"

namespace jaild::health {
namespace {

namespace asio = boost::asio;
using Running = Result<std::unique_ptr<kernel::RunningProgram>>;

/// Reads what the program prints, so that it never waits for a reader, and keeps the end of it.
class Drain : public std::enable_shared_from_this<Drain> {
public:
    Drain(asio::io_context& io, UniqueFd output) : output_(io, output.release()) {
        boost::system::error_code ignored;
        output_.non_blocking(true, ignored);
    }

    void go_on() {
        output_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](const auto& failed, std::size_t got) {
                                    if (failed) return;
                                    self->keep(got);
                                    self->go_on();
                                });
    }

    /// The last line that is not empty. What it left behind may hold the pipe open: it is not waited for.
    std::string finish() {
        for (boost::system::error_code failed; !failed;) {
            const auto got = output_.read_some(asio::buffer(buffer_), failed);
            if (!failed) keep(got);
        }
        output_.close();
        const auto end = tail_.find_last_not_of(" \t\r\n");
        if (end == std::string::npos) return {};
        tail_.erase(end + 1);
        const auto begin = tail_.find_last_of("\r\n");
        return readable_line(std::string_view(tail_).substr(begin == std::string::npos ? 0 : begin + 1), kTail);
    }

private:
    static constexpr std::size_t kTail = 1024;
    void keep(std::size_t got) {
        tail_.append(buffer_.data(), got);
        if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    }

    asio::posix::stream_descriptor output_;
    std::array<char, 4096> buffer_{};
    std::string tail_;
};

struct Ends {
    kernel::Stdio stdio;
    UniqueFd output;
};

Result<Ends> open_ends() {
    UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!input) return std::unexpected(Error::from_errno("open", errno, "/dev/null"));
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    UniqueFd second(::fcntl(pipe->write.get(), F_DUPFD_CLOEXEC, 0));
    if (!second) return std::unexpected(Error::from_errno("fcntl", errno));
    return Ends{
        .stdio = {.input = std::move(input), .output = std::move(pipe->write), .error_output = std::move(second)},
        .output = std::move(pipe->read)};
}

Outcome judge_exit(const Result<kernel::ProgramExit>& exit, const std::string& said) {
    if (!exit) return failed_by(exit.error());
    if (exit->exit_code == 0) return {.good = true};
    auto how =
        exit->signal != 0 ? fmt::format("signal {}", exit->signal) : fmt::format("exit code {}", exit->exit_code);
    if (!said.empty()) how += ": " + said;
    return {.message = std::move(how)};
}

}  // namespace

asio::awaitable<Outcome> probe_by_program(Surroundings around, Target target) {
    auto ends = open_ends();
    if (!ends) co_return failed_by(ends.error());
    auto drain = std::make_shared<Drain>(around.io, std::move(ends->output));
    auto start = [&kernel = around.kernel, target, stdio = std::move(ends->stdio)]() mutable -> Running {
        return kernel.processes().exec(target.id, target.program, std::move(stdio));
    };
    Running running = co_await offload(around.pool, std::move(start));
    if (!running) co_return failed_by(running.error());
    drain->go_on();

    asio::posix::stream_descriptor ended(around.io, ::fcntl((*running)->descriptor(), F_DUPFD_CLOEXEC, 0));
    bool late = false;
    {
        const auto answered = [&ended] {
            pollfd one{.fd = ended.native_handle(), .events = POLLIN, .revents = 0};
            return ::poll(&one, 1, 0) > 0;
        };
        const auto expired = [&ended, &late] {
            late = true;
            boost::system::error_code ignored;
            ended.cancel(ignored);
        };
        const FairDeadline deadline(around.io, around.pulse, target.spec.timeout, answered, expired);
        const auto [waited] =
            co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
        late = late || waited;
    }
    if (!late) {
        const auto exit = (*running)->wait();
        co_return judge_exit(exit, drain->finish());
    }
    (void)drain->finish();
    // Whatever it left in its session goes with it.
    auto kill = [program = *std::move(running)]() mutable {
        auto killed = program->kill(SIGKILL);
        program.reset();
        return killed;
    };
    (void)co_await offload(around.pool, std::move(kill));
    co_return failure(fmt::format("it took more than {} s, and was killed", target.spec.timeout.count() / 1000));
}

}  // namespace jaild::health
