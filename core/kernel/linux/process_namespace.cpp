#include "core/kernel/linux/process_namespace.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::kernel {
namespace {

std::string link_of(const std::string& process, const char* kind) {
    return "/proc/" + process + "/ns/" + kind;
}

Error gone(const ProcessIdentity& process) {
    return Error{.code = Errc::not_found,
                 .op = "setns",
                 .detail = "process " + std::to_string(process.pid) + " of the jail has ended"};
}

Result<bool> is_own(int fd, const char* kind) {
    struct stat theirs {};
    struct stat ours {};
    const std::string own = link_of("self", kind);
    if (::fstat(fd, &theirs) != 0 || ::stat(own.c_str(), &ours) != 0)
        return std::unexpected(Error::from_errno("stat", errno, own));
    return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

}  // namespace

Result<UniqueFd> open_namespace(const ProcessIdentity& process, const char* kind) {
    const std::string path = link_of(std::to_string(process.pid), kind);
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const int failed = fd ? 0 : errno;
    // Asked once the namespace is held: if it is the same process now, it was then.
    const auto same = shim::is_process(static_cast<pid_t>(process.pid), process.started);
    if (!same) return std::unexpected(same.error());
    // A process that ends gives up its namespaces before its number.
    if (!*same || failed == ENOENT || failed == ESRCH) return std::unexpected(gone(process));
    if (failed != 0) return std::unexpected(Error::from_errno("open", failed, path));
    const auto own = is_own(fd.get(), kind);
    if (!own) return std::unexpected(own.error());
    if (*own)
        return std::unexpected(Error{.code = Errc::conflict, .op = "setns", .detail = path + " is the host's own"});
    return fd;
}

}  // namespace jaild::kernel
