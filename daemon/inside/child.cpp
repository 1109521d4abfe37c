#include "daemon/inside/child.h"

#include <sys/types.h>
// after <sys/types.h>
#include <poll.h>
#include <sys/event.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/inside_text.h"

namespace jaild::inside {
namespace {

Error no_answer() {
    return Error{.code = Errc::busy,
                 .op = "jaild-inside",
                 .detail = "the process in the jail does not answer",
                 .reason = "timeout"};
}

}  // namespace

void write_answer(int descriptor, const Result<std::string>& answer) {
    const auto text = answer ? "+" + *answer : "-" + kernel::freebsd::to_text(answer.error());
    for (std::size_t done = 0; done < text.size();) {
        const auto written = ::write(descriptor, text.data() + done, text.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;  // the reader finds half an answer and says so
        done += static_cast<std::size_t>(written);
    }
}

Result<std::string> read_to_end(int descriptor, Milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
        const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return std::unexpected(Error::from_errno("poll", errno));
        if (ready == 0) return std::unexpected(no_answer());
        const auto got = ::read(descriptor, part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0) return text;
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

Result<std::string> read_answer(int descriptor, Milliseconds patience) {
    const auto text = read_to_end(descriptor, patience);
    if (!text) return text;
    if (text->starts_with('+')) return text->substr(1);
    if (text->starts_with('-')) return std::unexpected(kernel::freebsd::parse_error(std::string_view(*text).substr(1)));
    return std::unexpected(Error{
        .code = Errc::kernel, .op = "jaild-inside", .detail = "the process in the jail was ended before its answer"});
}

Result<int> wait_for(pid_t child, Milliseconds patience) {
    const UniqueFd queue(::kqueue());
    if (!queue) return std::unexpected(Error::from_errno("kqueue", errno));
    struct kevent ended {};
    EV_SET(&ended, static_cast<uintptr_t>(child), EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, nullptr);
    const timespec limit{.tv_sec = static_cast<time_t>(patience.count() / 1000),
                         .tv_nsec = static_cast<long>(patience.count() % 1000) * 1'000'000};
    int found = 0;
    do found = ::kevent(queue.get(), &ended, 1, &ended, 1, &limit);
    while (found < 0 && errno == EINTR);
    // ESRCH: it ended before, and waits to be asked.
    if (found < 0 && errno != ESRCH) return std::unexpected(Error::from_errno("kevent", errno));
    if (found == 0) {
        end(child);
        return std::unexpected(no_answer());
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return std::unexpected(Error::from_errno("waitpid", errno));
    return status;
}

void end(pid_t child) {
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace jaild::inside
