#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "daemon/shim/platform.h"

namespace jaild::shim::platform {
namespace {

struct Relations {
    pid_t parent = 0;
    pid_t session = 0;
};

/// proc(5): "pid (comm) state ppid pgrp session …"; comm may hold anything.
std::optional<Relations> relations_of(pid_t pid) {
    const auto stat = files::read("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat) return std::nullopt;
    const auto close = stat->rfind(')');
    if (close == std::string::npos) return std::nullopt;
    char state = 0;
    int parent = 0;
    int group = 0;
    int session = 0;
    if (std::sscanf(stat->c_str() + close + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
        return std::nullopt;
    return Relations{.parent = parent, .session = session};
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> pids;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
    if (!directory) return pids;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
    }
    return pids;
}

UniqueFd pidfd_of(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void signal_pidfd(const UniqueFd& process, int signal) {
    ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

/// Held by a pidfd between the look and the signal, so a number used again in between is not hit.
std::size_t signal_members(pid_t leader, int signal) {
    std::size_t hit = 0;
    for (const auto pid : all_processes()) {
        const auto process = pidfd_of(pid);
        if (!process) continue;
        const auto relations = relations_of(pid);
        if (!relations || relations->session != leader || pid == leader) continue;
        signal_pidfd(process, signal);
        ++hit;
    }
    return hit;
}

bool has_ended(const ExitWatch& watch) {
    pollfd one{.fd = watch.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) > 0;
}

/// "pid:[4026532194]": who is in the same namespace reads the same.
std::optional<std::string> pid_namespace_of(pid_t pid) {
    std::array<char, 64> text{};
    const auto path = "/proc/" + std::to_string(pid) + "/ns/pid";
    const auto size = ::readlink(path.c_str(), text.data(), text.size());
    return size > 0 ? std::optional(std::string(text.data(), static_cast<std::size_t>(size))) : std::nullopt;
}

}  // namespace

Result<void> become_reaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return std::unexpected(Error::from_errno("prctl", errno));
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
    ::syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U);
}

void signal_session(pid_t leader, int signal) {
    ::kill(-leader, signal);  // its first process group at once
    ::kill(leader, signal);   // and the leader, should it have left that
    if (signal != SIGKILL) {
        signal_members(leader, signal);
        return;
    }
    // A member that forks while we look leaves a child behind: look again until nobody is left, but not for ever.
    for (int round = 0; round < 5 && signal_members(leader, SIGKILL) > 0; ++round) continue;
}

bool signal_stranger(pid_t pid, std::int64_t started, int signal) {
    const auto process = pidfd_of(pid);
    if (!process || !is_process(pid, started).value_or(false)) return false;
    const auto relations = relations_of(pid);
    signal_pidfd(process, signal);
    // While the leader is there, dead or not, its number names its session only.
    if (relations && relations->session == pid) signal_members(pid, signal);
    return true;
}

std::vector<pid_t> strays(const std::function<bool(pid_t)>& known) {
    std::vector<pid_t> found;
    for (const auto pid : all_processes()) {
        const auto relations = relations_of(pid);
        if (relations && relations->parent == ::getpid() && !known(pid)) found.push_back(pid);
    }
    return found;
}

Result<std::optional<ExitWatch>> inhabitant(pid_t first_process, const std::function<bool(pid_t)>&) {
    if (first_process == 0) return std::nullopt;
    for (const auto pid : all_processes()) {
        if (const auto before = relations_of(pid); !before || before->parent != first_process) continue;
        auto watch = ExitWatch::create(pid);
        if (!watch && watch.error().sys == ESRCH) continue;
        if (!watch) return std::unexpected(watch.error());
        // Now that it is held: the number may have become another's since the look.
        const auto now = relations_of(pid);
        if (now && now->parent == first_process && !has_ended(*watch)) return std::optional(*std::move(watch));
    }
    return std::nullopt;
}

void signal_inhabitants(pid_t first_process, int signal) {
    const auto inside = first_process != 0 ? pid_namespace_of(first_process) : std::nullopt;
    if (!inside) return;
    for (const auto pid : all_processes()) {
        if (pid == first_process) continue;
        const auto process = pidfd_of(pid);
        if (process && pid_namespace_of(pid) == inside) signal_pidfd(process, signal);
    }
}

Entered enter_jail(const Launch&, int, std::vector<std::string>&) {
    return {
        .ok = false, .stage = Stage::attach, .code = ENOSYS, .text = "a jail of this system is entered by a helper"};
}

}  // namespace jaild::shim::platform
