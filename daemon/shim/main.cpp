#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "core/kernel/shim/protocol/paths.h"
#include "daemon/shim/platform.h"
#include "daemon/shim/shim.h"

/// jaild-shim --directory DIR: holds one jail. Started by jaild, with a pipe as descriptor 3: "ready" there, or what is
/// wrong. It outlives jaild, has a session of its own, and ends when jaild releases the jail or at SIGTERM, which stops
/// the jail's command first.
namespace {

using namespace jaild;

constexpr int kReport = 3;
int signal_pipe = -1;

void on_signal(int number) {
    const int saved = errno;
    const char byte = static_cast<char>(number);
    // A full pipe is as good: it is readable already. SIGTERM is at its front or comes again.
    [[maybe_unused]] const auto put = ::write(signal_pipe, &byte, 1);
    errno = saved;
}

Result<UniqueFd> catch_signals() {
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(pipe->write.get(), F_SETFL, O_NONBLOCK);
    signal_pipe = pipe->write.release();
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGCHLD, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    for (const int ignored : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}) ::signal(ignored, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    return std::move(pipe->read);
}

/// A descriptor for each client, program and pipe, whatever the daemon's own limit was.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = 8192;
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= wanted ? wanted : limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// 0 to 3 are open, so that nothing of ours gets such a number; nothing else is.
void prepare_descriptors() {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= kReport; ++fd)
        if (::fcntl(fd, F_GETFD) < 0) ::dup2(null, fd);
    ::fcntl(kReport, F_SETFD, FD_CLOEXEC);
    shim::platform::close_from(kReport + 1);
}

void report(std::string_view text) {
    [[maybe_unused]] const auto put = ::write(kReport, text.data(), text.size());
    ::close(kReport);
}

Result<void> hold(const char* path) {
    auto directory = files::open_directory(path);
    if (!directory) return std::unexpected(directory.error());
    const auto lock = shim::take_lock(directory->get());
    if (!lock) return std::unexpected(lock.error());
    if (const auto reaper = shim::platform::become_reaper(); !reaper) return reaper;
    const auto signals = catch_signals();
    if (!signals) return std::unexpected(signals.error());
    auto listener = shim::listen_in(directory->get(), shim::kSocketName);
    if (!listener) return std::unexpected(listener.error());
    shim::Shim holder(*std::move(directory), *std::move(listener));
    holder.recover();
    report("ready");
    holder.run(signals->get());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--version") {
        std::puts("jaild-shim " JAILD_VERSION);
        return 0;
    }
    if (argc != 3 || std::string_view(argv[1]) != "--directory" || argv[2][0] != '/') {
        std::fputs("usage: jaild-shim --directory DIR\njaild starts it; it is of no use by hand.\n", stderr);
        return 2;
    }
    ::setsid();  // fails when we lead one already, which is as good
    ::umask(0022);
    if (::chdir("/") != 0) return 1;
    raise_descriptor_limit();
    prepare_descriptors();
    ::signal(SIGPIPE, SIG_IGN);
    const auto held = hold(argv[2]);
    if (held) return 0;
    report(held.error().to_string());
    return 1;
}
