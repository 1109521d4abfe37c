#include "daemon/inside/child.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "core/kernel/freebsd/pure/inside_text.h"

namespace jaild::inside {

void write_answer(int descriptor, const Result<std::string>& answer) {
    const auto text = answer ? "+" + *answer : "-" + kernel::freebsd::to_text(answer.error());
    for (std::size_t done = 0; done < text.size();) {
        const auto written = ::write(descriptor, text.data() + done, text.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;  // the reader finds half an answer and says so
        done += static_cast<std::size_t>(written);
    }
}

Result<std::string> read_answer(int descriptor, Milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
        const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return std::unexpected(Error::from_errno("poll", errno));
        if (ready == 0)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "jaild-inside",
                                         .detail = "the process in the jail does not answer",
                                         .reason = "timeout"});
        const auto got = ::read(descriptor, part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0) break;
        text.append(part.data(), static_cast<std::size_t>(got));
    }
    if (text.starts_with('+')) return text.substr(1);
    if (text.starts_with('-')) return std::unexpected(kernel::freebsd::parse_error(std::string_view(text).substr(1)));
    return std::unexpected(Error{
        .code = Errc::kernel, .op = "jaild-inside", .detail = "the process in the jail was ended before its answer"});
}

void end(pid_t child) {
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace jaild::inside
