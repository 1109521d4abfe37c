#include "core/kernel/linux/uts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "core/base/unique_fd.h"
#include "core/kernel/linux/own_thread.h"

namespace jaild::kernel::uts {

namespace {

std::string namespace_of(const std::string& pid) {
    return "/proc/" + pid + "/ns/uts";
}

bool is_our_own(int fd) {
    struct stat theirs {};
    struct stat ours {};
    return ::fstat(fd, &theirs) != 0 || ::stat(namespace_of("self").c_str(), &ours) != 0 ||
           (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino);
}

/// Errc::conflict unless the process has a namespace of its own: then the thread is in it.
Result<void> enter(std::int64_t pid) {
    const std::string path = namespace_of(std::to_string(pid));
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, path));
    if (is_our_own(fd.get()))
        return std::unexpected(Error{.code = Errc::conflict, .op = "setns", .detail = path + " is the host's own"});
    if (::setns(fd.get(), CLONE_NEWUTS) != 0) return std::unexpected(Error::from_errno("setns", errno, path));
    return {};
}

/// Is this what entering a process's namespace fails with when the process is gone, or is none of a jail any more?
bool is_absence(const Error& error, std::int64_t pid) {
    if (error.code == Errc::conflict || error.sys == ENOENT || error.sys == ESRCH) return true;
    // What a process that ended between two steps of the kernel's own look gives.
    return error.sys == EACCES && ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

Result<std::optional<std::string>> hostname(std::int64_t pid) {
    if (pid <= 0) return std::nullopt;
    if (const auto entered = enter(pid); !entered) {
        if (is_absence(entered.error(), pid)) return std::nullopt;
        return std::unexpected(entered.error());
    }
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size()) != 0) return std::unexpected(Error::from_errno("gethostname", errno));
    return name.data();
}

}  // namespace

Result<std::vector<std::optional<std::string>>> hostnames(const std::vector<std::int64_t>& pids) {
    std::vector<std::optional<std::string>> names(pids.size());
    if (pids.empty()) return names;
    auto read = on_own_thread([&pids, &names]() -> Result<void> {
        for (std::size_t at = 0; at < pids.size(); ++at) {
            auto name = hostname(pids[at]);
            if (!name) return std::unexpected(name.error());
            names[at] = *std::move(name);
        }
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return names;
}

Result<void> set_hostname(std::int64_t pid, const std::string& hostname) {
    return on_own_thread([pid, &hostname]() -> Result<void> {
        if (auto entered = enter(pid); !entered) return entered;
        if (::sethostname(hostname.data(), hostname.size()) != 0)
            return std::unexpected(Error::from_errno("sethostname", errno, hostname));
        return {};
    });
}

}  // namespace jaild::kernel::uts
