#include "core/kernel/linux/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/kernel/linux/own_thread.h"

namespace jaild::kernel::netns {
namespace {

constexpr const char* kDirectory = "/run/netns";
/// Of the thread that opens it; /proc/self would be the main thread's.
constexpr const char* kOwn = "/proc/thread-self/ns/net";

Error failed(std::string_view op, std::string detail) {
    return Error::from_errno(op, errno, std::move(detail));
}

Result<void> loopback_up() {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return std::unexpected(failed("socket", "for lo"));
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return std::unexpected(failed("SIOCSIFFLAGS", "lo"));
    return {};
}

/// Makes the directory a shared mount of its own, as ip-netns(8) does. Whoever does that later than the first bind
/// covers the binds that are there with a copy of them: then nobody can remove them (EBUSY). /run itself stays as it
/// is. Done under ip-netns's own lock (flock(2)), so that nobody does it a second time.
Result<void> prepare_directory() {
    if (mkdir(kDirectory, 0755) != 0 && errno != EEXIST) return std::unexpected(failed("mkdir", kDirectory));
    const UniqueFd directory(::open(kDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return std::unexpected(failed("open", kDirectory));
    while (flock(directory.get(), LOCK_EX) != 0)
        if (errno != EINTR) return std::unexpected(failed("flock", kDirectory));
    const auto share = [] { return mount("", kDirectory, "none", MS_SHARED | MS_REC, nullptr) == 0; };
    if (share()) return {};
    // EINVAL: it is no mount yet.
    if (errno != EINVAL) return std::unexpected(failed("mount", kDirectory));
    if (mount(kDirectory, kDirectory, "none", MS_BIND | MS_REC, nullptr) != 0 || !share())
        return std::unexpected(failed("mount", kDirectory));
    return {};
}

bool is_network_namespace(int fd) {
    struct statfs info {};
    return fstatfs(fd, &info) == 0 && info.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

}  // namespace

std::string path(const std::string& name) {
    return std::string(kDirectory) + '/' + name;
}

Result<UniqueFd> current() {
    UniqueFd fd(::open(kOwn, O_RDONLY | O_CLOEXEC));
    if (!fd) return std::unexpected(failed("open", kOwn));
    return fd;
}

Result<std::optional<UniqueFd>> open(const std::string& name) {
    UniqueFd fd(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        return std::unexpected(failed("open", path(name)));
    }
    if (!is_network_namespace(fd.get())) return std::nullopt;
    return fd;
}

Result<void> create(const std::string& name) {
    const auto existing = open(name);
    if (!existing) return std::unexpected(existing.error());
    if (*existing) return {};
    if (auto prepared = prepare_directory(); !prepared) return prepared;

    const auto target = path(name);
    const UniqueFd file(::open(target.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0));
    if (!file) return std::unexpected(failed("open", target));
    return on_own_thread([&target]() -> Result<void> {
        if (unshare(CLONE_NEWNET) != 0) return std::unexpected(failed("unshare", "a network namespace"));
        if (auto up = loopback_up(); !up) return up;
        if (mount(kOwn, target.c_str(), "none", MS_BIND, nullptr) != 0) {
            return std::unexpected(failed("mount", target));
        }
        return {};
    });
}

Result<void> remove(const std::string& name) {
    const auto target = path(name);
    // Until no mount is left: a crash between two creates may have stacked them.
    while (umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    if (errno != EINVAL && errno != ENOENT) return std::unexpected(failed("umount2", target));
    if (unlink(target.c_str()) != 0 && errno != ENOENT) return std::unexpected(failed("unlink", target));
    return {};
}

Result<std::vector<std::string>> list() {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(kDirectory), closedir);
    std::vector<std::string> names;
    if (!directory) {
        if (errno == ENOENT) return names;
        return std::unexpected(failed("opendir", kDirectory));
    }
    errno = 0;
    while (const dirent* entry = readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return std::unexpected(failed("readdir", kDirectory));
    std::ranges::sort(names);
    return names;
}

bool is_shared_with(std::int64_t pid) {
    struct stat own {};
    struct stat its {};
    const auto path = "/proc/" + std::to_string(pid) + "/ns/net";
    return ::stat(kOwn, &own) == 0 && ::stat(path.c_str(), &its) == 0 && own.st_dev == its.st_dev &&
           own.st_ino == its.st_ino;
}

Result<void> enter(int netns) {
    if (::setns(netns, CLONE_NEWNET) == 0) return {};
    return std::unexpected(failed("setns", "a network namespace"));
}

Result<void> run_in(int netns, const std::function<Result<void>()>& work) {
    return on_own_thread([netns, &work]() -> Result<void> {
        const auto entered = enter(netns);
        return entered ? work() : entered;
    });
}

}  // namespace jaild::kernel::netns
