#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <span>
#include <string>

#include "api/v1/slots.h"
#include "core/base/unique_fd.h"
#include "core/base/units.h"
#include "core/kernel/processes.h"

namespace jaild::api::v1 {

namespace asio = boost::asio;

/// What a program wrote to one stream: its beginning, up to a limit. What is beyond is read and dropped, so that the
/// program goes on. I/O thread.
class Output {
public:
    /// The first `own` bytes have their place; those beyond are taken from `shared`, which all programs have together,
    /// until it is empty, and given back with this object.
    Output(std::size_t limit, std::size_t own, Slots& shared) : limit_(limit), own_(own), shared_(shared, 0) {}

    void add(std::string_view more);
    [[nodiscard]] bool truncated() const { return truncated_; }
    /// All of it, at the end. Any thread.
    [[nodiscard]] std::string take() { return std::move(bytes_); }

private:
    std::size_t limit_;
    std::size_t own_;
    Slots::Slot shared_;
    std::string bytes_;
    bool truncated_ = false;
};

/// What a program reads, typed at its terminal: `input`, then VEOF (termios(4): ^D, which is the end of the input at
/// the beginning of a line, so it comes twice behind an unfinished one).
std::string typed(std::string_view input);

/// Our ends of a program's standard streams, without blocking. I/O thread.
class ProgramStreams {
public:
    /// Of a program with a terminal: all that it writes is `output`.
    static Result<std::unique_ptr<ProgramStreams>> of_terminal(asio::any_io_executor executor, UniqueFd master);
    /// Fills `theirs` with the program's ends; without input it reads from /dev/null. Blocking as open(2) is.
    static Result<std::unique_ptr<ProgramStreams>> create(asio::any_io_executor executor, bool has_input,
                                                          kernel::Stdio& theirs);

    enum class Outlet { output, error_output };
    /// The next bytes of one, up to the size of `into`; 0 at its end, and after ended() when there are none now.
    asio::awaitable<std::size_t> read(Outlet from, std::span<char> into);
    /// The program has: what it wrote is read still, what others write is not waited for.
    void ended();
    /// What it reads. False when it reads no more.
    asio::awaitable<bool> write(std::string_view input);
    void close_input();
    /// Of its terminal; of a program without one: nothing.
    void resize(TerminalSize size);

    /// Writes the input and reads both outputs until it is cancelled.
    asio::awaitable<void> pump(std::string_view input, Output& output, Output& error_output);
    /// What is in the pipes now, without waiting.
    void drain(Output& output, Output& error_output);

private:
    explicit ProgramStreams(const asio::any_io_executor& executor)
        : input_(executor), output_(executor), error_output_(executor) {}

    asio::awaitable<void> feed(std::string_view input);
    static asio::awaitable<void> collect(asio::posix::stream_descriptor& from, Output& into);

    asio::posix::stream_descriptor input_;
    asio::posix::stream_descriptor output_;
    asio::posix::stream_descriptor error_output_;
    bool ended_ = false;
    std::size_t read_since_ = 0;  ///< ended_
};

/// A program under way. Destroyed (client gone, server stopping) it kills the program, on the pool: that may block.
class ProgramRun {
public:
    ProgramRun(asio::thread_pool& pool, std::unique_ptr<kernel::RunningProgram> program)
        : pool_(pool), program_(std::move(program)) {}
    ProgramRun(const ProgramRun&) = delete;
    ProgramRun& operator=(const ProgramRun&) = delete;
    ~ProgramRun();

    struct Ending {
        kernel::ProgramExit exit;
        bool timed_out = false;
    };
    /// Its end, or after `timeout` the end that SIGKILL brings. Errc::busy "program_hangs" when not even that does.
    asio::awaitable<Result<Ending>> end(Milliseconds timeout);
    /// To its session; end() may be waited for meanwhile.
    asio::awaitable<Result<void>> kill(int signal);

    static constexpr Milliseconds kForEver{std::chrono::hours{24 * 365}};

private:
    asio::thread_pool& pool_;
    std::unique_ptr<kernel::RunningProgram> program_;
};

}  // namespace jaild::api::v1
