#include "daemon/inside/client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/unique_fd.h"
#include "daemon/inside/child.h"
#include "daemon/inside/enter.h"

namespace jaild::inside {
namespace {

constexpr const char* kProgram = "/sbin/dhclient";
constexpr const char* kPath = "PATH=/sbin:/bin:/usr/sbin:/usr/bin";
constexpr std::size_t kMessage = 1000;  ///< of what it says

Error failed(std::string detail) {
    return Error{.code = Errc::kernel, .op = "dhclient", .detail = std::move(detail), .reason = "dhcp_client_failed"};
}

Error missing() {
    return Error{.code = Errc::unsupported,
                 .op = "dhclient",
                 .detail = std::string("there is no ") + kProgram + " in the jail's root",
                 .reason = "dhcp_client_missing"};
}

/// Becomes the client. `answer` is closed by its start: what is written there is why it was not.
Result<std::string> become_client(const kernel::freebsd::JailReference& jail,
                                  const kernel::freebsd::DhcpClient& client) {
    if (::fcntl(kAnswer, F_SETFD, FD_CLOEXEC) != 0) return std::unexpected(Error::from_errno("fcntl", errno));
    if (auto shed = shed_host(kAnswer); !shed) return std::unexpected(shed.error());
    if (auto entered = enter(jail); !entered) return std::unexpected(entered.error());
    if (::chdir("/") != 0) return std::unexpected(Error::from_errno("chdir", errno, "/"));
    std::array<const char*, 7> argv{kProgram, "-b", "-q", "-c", "/dev/stdin", client.interface.c_str(), nullptr};
    std::array<const char*, 3> environment{kPath, client.mark.c_str(), nullptr};
    ::execve(kProgram, const_cast<char**>(argv.data()), const_cast<char**>(environment.data()));
    if (errno == ENOENT) return std::unexpected(missing());
    return std::unexpected(Error::from_errno("execve", errno, kProgram));
}

/// The streams of the client: its configuration, nothing, and what it has to say.
bool set_streams(int input, int output, int answer) {
    // By way of numbers that are none of them. All others are closed later.
    const std::array<int, 4> from{input, ::open("/dev/null", O_RDWR | O_CLOEXEC), output, answer};
    std::array<int, 4> high{};
    for (std::size_t i = 0; i < from.size(); ++i)
        if ((high[i] = ::fcntl(from[i], F_DUPFD_CLOEXEC, kAnswer + 1)) < 0) return false;
    for (std::size_t i = 0; i < high.size(); ++i)
        if (::dup2(high[i], static_cast<int>(i)) < 0) return false;
    return true;
}

/// What it wrote so far. Its descendants may have the other end still.
std::string said(int descriptor) {
    std::string text(kMessage, '\0');
    ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
    const auto got = ::read(descriptor, text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

struct Pipes {
    Pipe input;
    Pipe output;
    Pipe answer;
};

Result<Pipes> make_pipes(const std::string& configuration) {
    auto input = Pipe::create();
    auto output = Pipe::create();
    auto answer = Pipe::create();
    for (const auto* one : {&input, &output, &answer})
        if (!*one) return std::unexpected(one->error());
    // Shorter than what a pipe takes at once (PIPE_BUF).
    const auto size = static_cast<ssize_t>(configuration.size());
    if (::write(input->write.get(), configuration.data(), configuration.size()) != size)
        return std::unexpected(Error::from_errno("write", errno, "dhclient.conf"));
    input->write.reset();
    return Pipes{.input = *std::move(input), .output = *std::move(output), .answer = *std::move(answer)};
}

}  // namespace

Result<void> start_client(const kernel::freebsd::JailReference& jail, const kernel::freebsd::DhcpClient& client,
                          Milliseconds patience) {
    auto pipes = make_pipes(client.configuration);
    if (!pipes) return std::unexpected(pipes.error());
    const pid_t child = ::fork();
    if (child < 0) return std::unexpected(Error::from_errno("fork", errno));
    if (child == 0) {
        if (!set_streams(pipes->input.read.get(), pipes->output.write.get(), pipes->answer.write.get())) ::_exit(1);
        write_answer(kAnswer, become_client(jail, client));
        ::_exit(1);
    }
    pipes->answer.write.reset();
    pipes->output.write.reset();
    const auto refused = read_to_end(pipes->answer.read.get(), patience);
    if (!refused || !refused->empty()) {
        end(child);
        if (!refused) return std::unexpected(refused.error());
        return std::unexpected(kernel::freebsd::parse_error(std::string_view(*refused).substr(1)));
    }
    const auto status = wait_for(child, patience);
    if (!status) return std::unexpected(failed("dhclient: " + status.error().detail));
    if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
    return std::unexpected(failed("dhclient: " + said(pipes->output.read.get())));
}

}  // namespace jaild::inside
