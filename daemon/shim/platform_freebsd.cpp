#include <sys/param.h>
// after <sys/param.h>
#include <sys/jail.h>
#include <sys/mman.h>
#include <sys/procctl.h>
#include <sys/sysctl.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
// after <sys/types.h>
#include <fcntl.h>
#include <login_cap.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

#include "core/kernel/shim/protocol/process_identity.h"
#include "daemon/shim/platform.h"

namespace jaild::shim::platform {
namespace {

std::vector<kinfo_proc> processes(int what, int argument) {
    std::array<int, 4> name{CTL_KERN, KERN_PROC, what, argument};
    for (int attempt = 0; attempt < 3; ++attempt) {
        std::size_t size = 0;
        if (::sysctl(name.data(), 4, nullptr, &size, nullptr, 0) != 0) return {};
        std::vector<kinfo_proc> found(size / sizeof(kinfo_proc) + 16);  // some may start in between
        size = found.size() * sizeof(kinfo_proc);
        if (::sysctl(name.data(), 4, found.data(), &size, nullptr, 0) == 0) {
            found.resize(size / sizeof(kinfo_proc));
            return found;
        }
        if (errno != ENOMEM) return {};
    }
    return {};
}

std::size_t signal_members(pid_t leader, int signal) {
    std::size_t hit = 0;
    for (const auto& process : processes(KERN_PROC_SESSION, leader)) {
        if (process.ki_pid == leader || process.ki_stat == SZOMB) continue;
        if (::kill(process.ki_pid, signal) == 0) ++hit;
    }
    return hit;
}

/// The name and path of a jail, read back from the kernel at this moment: jail_get(2).
bool same_jail(const Launch& launch) {
    std::array<char, MAXHOSTNAMELEN> name{};
    std::array<char, MAXPATHLEN> path{};
    int jid = static_cast<int>(launch.jid);
    const auto part = [](void* base, std::size_t size) { return iovec{.iov_base = base, .iov_len = size}; };
    const auto key = [&](const char* text) { return part(const_cast<char*>(text), std::strlen(text) + 1); };
    std::array<iovec, 6> parameters{key("jid"),  part(&jid, sizeof jid),
                                    key("name"), part(name.data(), name.size()),
                                    key("path"), part(path.data(), path.size())};
    if (::jail_get(parameters.data(), static_cast<unsigned>(parameters.size()), 0) != launch.jid) return false;
    return launch.jail_name == name.data() && launch.jail_path == path.data();
}

/// Of the jail that this process is in. Where it has no passwd(5) at all there is a `root` (and 0) all the same.
const passwd* find_user(const std::string& user) {
    if ((user == "root" || user == "0") && ::access("/etc/pwd.db", F_OK) != 0) {
        static std::array<std::string, 3> words{"root", "/", "/bin/sh"};
        static passwd root{};
        root.pw_name = words[0].data();
        root.pw_dir = words[1].data();
        root.pw_shell = words[2].data();
        return &root;
    }
    if (const auto* entry = ::getpwnam(user.c_str())) return entry;
    uid_t number = 0;
    const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), number);
    return error == std::errc{} && end == user.data() + user.size() ? ::getpwuid(number) : nullptr;
}

void add_default(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
    const std::string prefix = std::string(name) + "=";
    for (const auto& entry : environment)
        if (entry.starts_with(prefix)) return;
    environment.push_back(prefix + std::string(value));
}

Entered failed(Stage stage, int code, std::string text) {
    return {.ok = false, .stage = stage, .code = code, .text = std::move(text)};
}

}  // namespace

Result<void> become_reaper() {
    if (::procctl(P_PID, 0, PROC_REAP_ACQUIRE, nullptr) != 0)
        return std::unexpected(Error::from_errno("procctl", errno));
    return {};
}

Result<UniqueFd> anonymous_file(const std::string& content) {
    UniqueFd file(::memfd_create("jaild-shim", MFD_CLOEXEC));
    if (!file) return std::unexpected(Error::from_errno("memfd_create", errno));
    if (::pwrite(file.get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
        return std::unexpected(Error::from_errno("pwrite", errno));
    return file;
}

void close_from(int first) {
    ::closefrom(first);
}

void signal_session(pid_t leader, int signal) {
    ::kill(-leader, signal);
    ::kill(leader, signal);
    if (signal != SIGKILL) {
        signal_members(leader, signal);
        return;
    }
    for (int round = 0; round < 5 && signal_members(leader, SIGKILL) > 0; ++round) continue;
}

bool signal_stranger(pid_t pid, std::int64_t started, int signal) {
    // No pidfd here: the number is checked in the last moment.
    if (!is_process(pid, started).value_or(false)) return false;
    const bool leads = ::getsid(pid) == pid;
    ::kill(pid, signal);
    if (leads) signal_members(pid, signal);
    return true;
}

std::vector<pid_t> strays(const std::function<bool(pid_t)>&) {
    return {};
}

Result<std::optional<ExitWatch>> inhabitant(pid_t, const std::function<bool(pid_t)>& known) {
    // procctl(2): as many as there is room for are told, so there is room for more than there were.
    procctl_reaper_status status{};
    if (::procctl(P_PID, ::getpid(), PROC_REAP_STATUS, &status) != 0)
        return std::unexpected(Error::from_errno("procctl", errno));
    std::vector<procctl_reaper_pidinfo> found(status.rs_descendants + 64);
    procctl_reaper_pids request{};
    request.rp_count = static_cast<u_int>(found.size());
    request.rp_pids = found.data();
    if (::procctl(P_PID, ::getpid(), PROC_REAP_GETPIDS, &request) != 0)
        return std::unexpected(Error::from_errno("procctl", errno));
    for (const auto& one : found) {
        if ((one.pi_flags & REAPER_PIDINFO_VALID) == 0) break;
        const bool child = (one.pi_flags & REAPER_PIDINFO_CHILD) != 0;
        if (!child || (one.pi_flags & REAPER_PIDINFO_ZOMBIE) != 0 || known(one.pi_pid)) continue;
        // Nobody but us waits for it, so the number stays its own.
        auto watch = ExitWatch::create(one.pi_pid);
        if (watch) return std::optional(*std::move(watch));
        if (watch.error().sys != ESRCH) return std::unexpected(watch.error());
    }
    return std::nullopt;
}

void signal_inhabitants(pid_t, int signal) {
    procctl_reaper_kill request{};
    request.rk_sig = signal;
    ::procctl(P_PID, ::getpid(), PROC_REAP_KILL, &request);
}

Entered enter_jail(const Launch& launch, int last_descriptor, std::vector<std::string>& environment) {
    // The jail's root must not trace a process that still holds something of the host's. procctl(2): execve(2) ends it.
    int tracing = PROC_TRACE_CTL_DISABLE;
    if (::procctl(P_PID, 0, PROC_TRACE_CTL, &tracing) != 0) return failed(Stage::attach, errno, "procctl");
    // jail_attach(2) is EPERM while any directory is open.
    ::closefrom(last_descriptor + 1);
    if (!same_jail(launch)) return failed(Stage::attach, ESRCH, "the jail with this jid is another one by now");
    if (::jail_attach(static_cast<int>(launch.jid)) != 0) return failed(Stage::attach, errno, "jail_attach");
    ::setsid();

    // From here on everything that is read is the jail's: its passwd, its login.conf.
    const auto* user = find_user(launch.user);
    if (user == nullptr) return failed(Stage::user, ENOENT, launch.user);
    ::setlogin(user->pw_name);
    auto* login_class = ::login_getpwclass(user);
    const unsigned what = LOGIN_SETALL & ~static_cast<unsigned>(LOGIN_SETLOGIN | LOGIN_SETENV | LOGIN_SETPATH);
    if (::setusercontext(login_class, user, user->pw_uid, what) != 0)
        return failed(Stage::user, errno != 0 ? errno : EPERM, "setusercontext for " + launch.user);
    ::login_close(login_class);
    if (::chdir(launch.directory.c_str()) != 0) return failed(Stage::directory, errno, launch.directory);

    add_default(environment, "PATH", "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin");
    add_default(environment, "HOME", user->pw_dir);
    add_default(environment, "USER", user->pw_name);
    add_default(environment, "SHELL", user->pw_shell);
    add_default(environment, "TERM", "dumb");
    return {.ok = true};
}

}  // namespace jaild::shim::platform
