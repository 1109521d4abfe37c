#include "daemon/shim/child.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "core/kernel/shim/protocol/wire.h"
#include "daemon/shim/platform.h"

extern char** environ;

namespace jaild::shim {
namespace {

constexpr int kSpare = 32;  ///< above every descriptor that a program is given

[[noreturn]] void fail(int report, const Failure& failure) {
    const auto message = Writer()
                             .u8(static_cast<std::uint8_t>(failure.stage))
                             .i64(failure.code)
                             .text(std::string_view(failure.text).substr(0, 512))
                             .take();
    // One write of less than PIPE_BUF bytes is whole; a reader that is gone changes nothing.
    [[maybe_unused]] const auto put = ::write(report, message.data(), message.size());
    ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const auto& text : strings) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

void default_signals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Puts the descriptors at 0, 1, 2 … and the report behind them; closes all others. Returns the report's number.
int arrange(const std::vector<int>& wanted, int report) {
    std::vector<int> sources;
    report = ::fcntl(report, F_DUPFD_CLOEXEC, kSpare);
    for (const int fd : wanted)
        sources.push_back(fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, kSpare) : ::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (std::size_t i = 0; i < sources.size(); ++i) {
        // open(2) took a low number perhaps: away from where the others go.
        if (sources[i] >= 0 && sources[i] < kSpare) sources[i] = ::fcntl(sources[i], F_DUPFD_CLOEXEC, kSpare);
        if (report < 0 || sources[i] < 0) fail(report, {.code = errno, .text = "descriptors"});
    }
    for (std::size_t i = 0; i < sources.size(); ++i)
        if (::dup2(sources[i], static_cast<int>(i)) < 0) fail(report, {.code = errno, .text = "dup2"});
    const int last = static_cast<int>(sources.size());
    if (::dup3(report, last, O_CLOEXEC) < 0) fail(report, {.code = errno, .text = "dup3"});
    platform::close_from(last + 1);
    return last;
}

[[noreturn]] void become(const ChildPlan& plan, int report) {
    default_signals();
    const int last = arrange(plan.descriptors, report);
    auto environment = plan.environment;
    if (plan.enter != nullptr) {
        const auto entered = platform::enter_jail(*plan.enter, last, environment);
        if (!entered.ok) fail(last, {.stage = entered.stage, .code = entered.code, .text = entered.text});
    } else {
        ::setsid();
    }
    if (plan.terminal == ControllingTerminal::input && ::ioctl(0, TIOCSCTTY, 0) != 0)
        fail(last, {.stage = Stage::terminal, .code = errno, .text = "TIOCSCTTY"});
    const auto argv = pointers(plan.argv);
    auto env = pointers(environment);
    environ = env.data();  // execvp(3) looks into this PATH
    ::execvp(argv.front(), argv.data());
    fail(last, {.stage = Stage::execute, .code = errno, .text = plan.argv.front()});
}

}  // namespace

Result<Child> fork_child(const ChildPlan& plan) {
    auto report = Pipe::create();
    if (!report) return std::unexpected(report.error());
    const auto pid = ::fork();
    if (pid < 0) return std::unexpected(Error::from_errno("fork", errno));
    if (pid == 0) become(plan, report->write.get());
    ::fcntl(report->read.get(), F_SETFL, O_NONBLOCK);
    return Child{.pid = pid, .failure = std::move(report->read)};
}

std::optional<Failure> read_failure(const UniqueFd& failure) {
    std::array<char, 1024> buffer;
    const auto got = ::read(failure.get(), buffer.data(), buffer.size());
    if (got <= 0) return std::nullopt;
    Reader reader(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    Failure read{
        .stage = static_cast<Stage>(reader.u8()), .code = static_cast<int>(reader.i64()), .text = reader.text()};
    return read;
}

}  // namespace jaild::shim
