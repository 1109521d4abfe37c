#include "api/v1/program_run.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "api/http/offload.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;
using Stream = asio::posix::stream_descriptor;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPiece = 64 * 1024;
/// More than any pipe holds: whoever still writes after the program's end is not waited for.
constexpr std::size_t kDrainMax = 2 * 1024 * 1024;
constexpr Milliseconds kKillGrace{10'000};

Result<void> adopt(Stream& stream, UniqueFd descriptor) {
    boost::system::error_code failure;
    stream.assign(descriptor.get(), failure);
    if (!failure) {
        static_cast<void>(descriptor.release());
        stream.native_non_blocking(true, failure);
    }
    if (failure) return std::unexpected(Error::from_errno("assign", failure.value(), "a program's stream"));
    return {};
}

void drain_one(Stream& from, Output& into) {
    if (!from.is_open()) return;
    std::array<char, kPiece> piece{};
    for (std::size_t total = 0; total < kDrainMax;) {
        const auto count = ::read(from.native_handle(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        into.add({piece.data(), static_cast<std::size_t>(count)});
        total += static_cast<std::size_t>(count);
    }
}

asio::awaitable<void> sleep_for(Milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kTuple);
}

asio::awaitable<void> readable(Stream& stream) {
    co_await stream.async_wait(Stream::wait_read, kTuple);
}

/// False when `time` passed first.
asio::awaitable<bool> readable_within(Stream& stream, Milliseconds time) {
    const auto first = co_await (readable(stream) || sleep_for(time));
    co_return first.index() == 0;
}

}  // namespace

void Output::add(std::string_view more) {
    if (truncated_) return;  // no gap is ever left in it
    const auto wanted = std::min(limit_, bytes_.size() + more.size());
    const auto granted = own_ + shared_.count();
    const auto end = wanted <= granted ? wanted : granted + shared_.grow(wanted - granted);
    const auto room = end - bytes_.size();
    truncated_ = more.size() > room;
    bytes_.append(more.substr(0, room));
}

Result<std::unique_ptr<ProgramStreams>> ProgramStreams::create(asio::any_io_executor executor, bool has_input,
                                                               kernel::Stdio& theirs) {
    std::unique_ptr<ProgramStreams> ours(new ProgramStreams(executor));
    auto output = Pipe::create();
    if (!output) return std::unexpected(output.error());
    auto error_output = Pipe::create();
    if (!error_output) return std::unexpected(error_output.error());
    theirs.output = std::move(output->write);
    theirs.error_output = std::move(error_output->write);
    if (auto adopted = adopt(ours->output_, std::move(output->read)); !adopted) return std::unexpected(adopted.error());
    if (auto adopted = adopt(ours->error_output_, std::move(error_output->read)); !adopted)
        return std::unexpected(adopted.error());
    if (!has_input) {
        theirs.input = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!theirs.input) return std::unexpected(Error::from_errno("open", errno, "/dev/null"));
        return ours;
    }
    auto input = Pipe::create();
    if (!input) return std::unexpected(input.error());
    theirs.input = std::move(input->read);
    if (auto adopted = adopt(ours->input_, std::move(input->write)); !adopted) return std::unexpected(adopted.error());
    return ours;
}

std::string typed(std::string_view input) {
    constexpr char kEnd = 4;
    std::string text(input);
    if (!text.empty() && text.back() != '\n') text += kEnd;
    return text += kEnd;
}

Result<std::unique_ptr<ProgramStreams>> ProgramStreams::of_terminal(asio::any_io_executor executor, UniqueFd master) {
    std::unique_ptr<ProgramStreams> ours(new ProgramStreams(executor));
    UniqueFd input(::fcntl(master.get(), F_DUPFD_CLOEXEC, 0));
    if (!input) return std::unexpected(Error::from_errno("fcntl", errno, "a program's terminal"));
    if (auto adopted = adopt(ours->output_, std::move(master)); !adopted) return std::unexpected(adopted.error());
    if (auto adopted = adopt(ours->input_, std::move(input)); !adopted) return std::unexpected(adopted.error());
    return ours;
}

asio::awaitable<void> ProgramStreams::feed(std::string_view input) {
    if (!input_.is_open()) co_return;
    while (!input.empty()) {
        // EPIPE when the program reads no more: its own business.
        const auto [failure, count] =
            co_await input_.async_write_some(asio::buffer(input.data(), input.size()), kTuple);
        if (failure) break;
        input.remove_prefix(count);
    }
    boost::system::error_code ignored;
    input_.close(ignored);
}

asio::awaitable<void> ProgramStreams::collect(Stream& from, Output& into) {
    std::vector<char> piece(kPiece);
    while (true) {
        const auto [failure, count] = co_await from.async_read_some(asio::buffer(piece), kTuple);
        into.add({piece.data(), count});
        if (failure) co_return;
    }
}

asio::awaitable<std::size_t> ProgramStreams::read(Outlet from, std::span<char> into) {
    auto& stream = from == Outlet::output ? output_ : error_output_;
    while (stream.is_open()) {
        const auto count = ::read(stream.native_handle(), into.data(), into.size());
        if (count < 0 && errno == EINTR) continue;
        if (count > 0) {
            if (ended_) read_since_ += static_cast<std::size_t>(count);
            if (read_since_ > kDrainMax) co_return 0;
            co_return static_cast<std::size_t>(count);
        }
        // EIO: nobody has the terminal open any more.
        if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || ended_) co_return 0;
        co_await readable(stream);
    }
    co_return 0;
}

void ProgramStreams::ended() {
    ended_ = true;
    boost::system::error_code ignored;
    for (auto* stream : {&output_, &error_output_})
        if (stream->is_open()) stream->cancel(ignored);
}

asio::awaitable<bool> ProgramStreams::write(std::string_view input) {
    while (!input.empty() && input_.is_open()) {
        const auto [failure, count] =
            co_await input_.async_write_some(asio::buffer(input.data(), input.size()), kTuple);
        if (failure) close_input();
        input.remove_prefix(count);
    }
    co_return input_.is_open();
}

void ProgramStreams::close_input() {
    boost::system::error_code ignored;
    input_.close(ignored);
}

void ProgramStreams::resize(TerminalSize size) {
    winsize window{};
    window.ws_row = size.rows;
    window.ws_col = size.columns;
    if (output_.is_open()) (void)::ioctl(output_.native_handle(), TIOCSWINSZ, &window);
}

asio::awaitable<void> ProgramStreams::pump(std::string_view input, Output& output, Output& error_output) {
    co_await (feed(input) && collect(output_, output) && collect(error_output_, error_output));
    // All three are done, and the program may still run: its end is somebody else's to tell.
    asio::steady_timer forever(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await forever.async_wait(kTuple);
}

void ProgramStreams::drain(Output& output, Output& error_output) {
    drain_one(output_, output);
    drain_one(error_output_, error_output);
}

ProgramRun::~ProgramRun() {
    if (program_) asio::post(pool_, [program = std::move(program_)]() mutable { program.reset(); });
}

asio::awaitable<Result<void>> ProgramRun::kill(int signal) {
    co_return co_await offload(pool_, [this, signal] { return program_->kill(signal); });
}

asio::awaitable<Result<ProgramRun::Ending>> ProgramRun::end(Milliseconds timeout) {
    Stream ended(co_await asio::this_coro::executor);
    UniqueFd copy(::fcntl(program_->descriptor(), F_DUPFD_CLOEXEC, 0));
    if (!copy) co_return std::unexpected(Error::from_errno("fcntl", errno, "F_DUPFD_CLOEXEC"));
    if (auto adopted = adopt(ended, std::move(copy)); !adopted) co_return std::unexpected(adopted.error());

    Ending ending;
    bool known = co_await readable_within(ended, timeout);
    if (!known) {
        ending.timed_out = true;
        auto killed = co_await offload(pool_, [this] { return program_->kill(SIGKILL); });
        if (!killed) co_return std::unexpected(killed.error());
        known = co_await readable_within(ended, kKillGrace);
    }
    if (!known)
        co_return std::unexpected(Error{.code = Errc::busy,
                                        .op = "exec",
                                        .detail = "the program was killed and does not end; it hangs in the kernel",
                                        .reason = "program_hangs"});
    auto exit = co_await offload(pool_, [this] { return program_->wait(); });
    if (!exit) co_return std::unexpected(exit.error());
    ending.exit = *exit;
    co_return ending;
}

}  // namespace jaild::api::v1
