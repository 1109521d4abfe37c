// jaild-lease: starts a DHCP client, udhcpc(8), for an interface of the network namespace that it is in, and is what
// the client runs when a lease comes, changes or goes.
//
//   jaild-lease start DIRECTORY INTERFACE UDHCPC    started by jaild; returns once the client runs
//   jaild-lease EVENT                               started by the client, as udhcpc(8)'s script

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "daemon/lease/lease.h"

namespace jaild::lease {
namespace {

/// The client makes packets and addresses, and is root in nothing else: the bounding set is what a program executed by
/// root gets (capabilities(7)).
bool keep_network_capabilities() {
    for (int one = 0; ::prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) {
        if (one == CAP_NET_ADMIN || one == CAP_NET_RAW || one == CAP_NET_BIND_SERVICE) continue;
        if (::prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0) return false;
    }
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/// Nobody reads what the client prints; what matters it also tells syslog(3).
bool let_go_of_streams() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return false;
    for (int stream = 0; stream <= 2; ++stream)
        if (::dup2(null, stream) < 0) return false;
    return true;
}

std::string own_path() {
    std::vector<char> path(4096);
    const auto length = ::readlink("/proc/self/exe", path.data(), path.size());
    return length <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(length));
}

/// Becomes the client. What it holds is the lock: that it lives, and who it is. `failed` goes with success.
std::string become_client(const std::string& directory, const std::string& interface, const std::string& client) {
    ::setsid();
    if (::chdir("/") != 0) return "chdir";
    const auto held = files::open_directory(directory);
    if (!held) return held.error().to_string();
    const auto lock = shim::take_lock(held->get());
    // Another one was faster: there is a client, which is all that is wanted.
    if (!lock && lock.error().reason == "held") ::_exit(0);
    if (!lock) return lock.error().to_string();
    if (::fcntl(lock->get(), F_SETFD, 0) != 0) return "fcntl";
    const auto self = own_path();
    if (self.empty()) return "readlink /proc/self/exe";
    if (!let_go_of_streams()) return "/dev/null";
    if (!keep_network_capabilities()) return "prctl";
    // In the foreground, with a log, giving the lease back at the end; it asks for nothing but what is used.
    const std::vector<std::string> argv{client,    "-f",     "-S",     "-R",     "-o",
                                        "-O",      "subnet", "-O",     "router", "-O",
                                        "dns",     "-O",     "domain", "-t",     "5",
                                        "-T",      "2",      "-A",     "10",     "-i",
                                        interface, "-s",     self,     "-p",     directory + "/pid"};
    std::vector<char*> pointers;
    for (const auto& one : argv) pointers.push_back(const_cast<char*>(one.c_str()));
    pointers.push_back(nullptr);
    ::execv(client.c_str(), pointers.data());
    return client + ": " + std::strerror(errno);
}

/// The descriptor that the child writes to is closed by a successful execve(2).
int start(const std::string& directory, const std::string& interface, const std::string& client) {
    auto told = Pipe::create();
    if (!told) return 1;
    const pid_t child = ::fork();
    if (child < 0) return 1;
    if (child == 0) {
        told->read.reset();
        const auto failure = become_client(directory, interface, client);
        if (::write(told->write.get(), failure.data(), failure.size()) < 0) ::_exit(2);
        ::_exit(1);
    }
    told->write.reset();
    std::string failure(1024, '\0');
    ssize_t length = 0;
    do length = ::read(told->read.get(), failure.data(), failure.size());
    while (length < 0 && errno == EINTR);
    if (length == 0) return 0;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(std::max<ssize_t>(length, 0)), failure.data());
    return 1;
}

int hook(const std::string& event) {
    const auto variable = [](const char* name) -> const char* { return std::getenv(name); };
    const char* interface = variable("interface");
    const char* route = variable("JAILD_ROUTE");
    const char* root = variable("JAILD_ROOT");
    if (interface == nullptr) return 1;
    const Use use{.route = route != nullptr && *route == '1', .root = root == nullptr ? "" : root};
    const auto done = apply_event(event, interface, use, variable);
    if (!done) std::fprintf(stderr, "jaild-lease: %s\n", done.error().to_string().c_str());
    return done ? 0 : 1;
}

}  // namespace
}  // namespace jaild::lease

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        if (arguments.size() == 4 && arguments[0] == "start")
            return jaild::lease::start(arguments[1], arguments[2], arguments[3]);
        if (arguments.size() == 1) return jaild::lease::hook(arguments[0]);
        std::fputs("usage: jaild-lease start DIRECTORY INTERFACE UDHCPC, or udhcpc -s jaild-lease\n", stderr);
        return 2;
    } catch (const std::exception& caught) {
        std::fprintf(stderr, "jaild-lease: %s\n", caught.what());
        return 1;
    }
}
