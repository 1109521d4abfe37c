#include "daemon/archive/confine.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#ifdef __linux__
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#else
#include <sys/procctl.h>
#endif

namespace jaild::archive {
namespace {

/// What decompression may take: xz(1)'s largest dictionary is 1.5 GiB, its -9 has one of 64 MiB.
constexpr rlim_t kMemory = rlim_t{1} << 30;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kBoundMemory = false;  // a sanitizer's own maps are larger
#else
constexpr bool kBoundMemory = true;
#endif

Result<void> bound(int resource, rlim_t limit) {
    const rlimit both{.rlim_cur = limit, .rlim_max = limit};
    if (::setrlimit(static_cast<decltype(RLIMIT_CORE)>(resource), &both) != 0)
        return std::unexpected(Error::from_errno("setrlimit", errno));
    return {};
}

Result<void> drop_privileges() {
#ifdef __linux__
    // Owners, modes, times, file capabilities and flags; nothing else that root may, chroot(2) and mknod(2) neither.
    constexpr std::uint32_t kKept = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID |
                                    1U << CAP_SETFCAP | 1U << CAP_LINUX_IMMUTABLE;
    static_assert(CAP_SETFCAP < 32);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(Error::from_errno("prctl", errno));
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {{.effective = kKept, .permitted = kKept, .inheritable = 0}, {}};
    if (::syscall(SYS_capset, &header, data) != 0) return std::unexpected(Error::from_errno("capset", errno));
#endif
    return {};
}

/// What it unpacks is of no use without jaild, which removes it when it starts again.
Result<void> die_with_parent() {
#ifdef __linux__
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return std::unexpected(Error::from_errno("prctl", errno));
#else
    int number = SIGKILL;
    if (::procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &number) != 0)
        return std::unexpected(Error::from_errno("procctl", errno));
#endif
    return {};
}

}  // namespace

Result<void> confine(int directory) {
    if (auto tied = die_with_parent(); !tied) return tied;
    // Names in an archive are UTF-8; libarchive converts by the locale, whose files are out of reach afterwards.
    if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) return std::unexpected(Error::from_errno("setlocale", EINVAL));
    ::umask(022);  // of directories that an archive does not name; all others get exactly what it says
    if (::fchdir(directory) != 0) return std::unexpected(Error::from_errno("fchdir", errno));
    if (::chroot(".") != 0) return std::unexpected(Error::from_errno("chroot", errno));
    if (::chdir("/") != 0) return std::unexpected(Error::from_errno("chdir", errno));
    if (::close(directory) != 0) return std::unexpected(Error::from_errno("close", errno));
    if (auto bounded = bound(RLIMIT_CORE, 0); !bounded) return bounded;
    if (kBoundMemory)
        if (auto bounded = bound(RLIMIT_AS, kMemory); !bounded) return bounded;
    return drop_privileges();
}

}  // namespace jaild::archive
