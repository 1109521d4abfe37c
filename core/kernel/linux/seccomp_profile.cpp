#include "core/kernel/linux/seccomp_profile.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>

namespace jaild::kernel {

namespace {

// Names of 32-bit architectures stand beside the others: programs of the processor's 32-bit mode run too. Their
// socketcall(2) hides its arguments from the filter, as it does from podman's.
constexpr std::array kAllowed = std::to_array<std::string_view>(
    {// files: opening, reading, writing
     "access", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2",
     "fadvise64", "fadvise64_64", "arm_fadvise64_64", "fallocate", "fcntl", "fcntl64", "fdatasync", "flock", "fsync",
     "ftruncate", "ftruncate64", "_llseek", "lseek", "memfd_create", "open", "openat", "openat2", "pread64", "preadv",
     "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readv", "sendfile", "sendfile64", "splice",
     "sync", "sync_file_range", "sync_file_range2", "arm_sync_file_range", "syncfs", "tee", "truncate", "truncate64",
     "write", "writev", "ioctl", "pipe", "pipe2",
     // files: names, modes, owners, attributes (mknod(2) of a device still needs CAP_MKNOD)
     "chdir", "chmod", "chown", "chown32", "chroot", "fchdir", "fchmod", "fchmodat", "fchown", "fchown32", "fchownat",
     "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
     "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1",
     "inotify_rm_watch", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr",
     "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat",
     "readlink", "readlinkat", "removexattr", "rename", "renameat", "renameat2", "rmdir", "setxattr", "stat", "stat64",
     "statfs", "statfs64", "statx", "symlink", "symlinkat", "umask", "unlink", "unlinkat", "utime", "utimensat",
     "utimensat_time64", "utimes",
     // waiting
     "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
     "io_cancel", "io_destroy", "io_getevents", "io_setup", "io_submit", "_newselect", "pause", "poll", "ppoll",
     "ppoll_time64", "pselect6", "pselect6_time64", "select",
     // memory
     "brk", "get_mempolicy", "madvise", "mbind", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mmap",
     "mmap2", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
     "pkey_mprotect", "remap_file_pages", "set_mempolicy",
     // processes and threads; another one's memory only as ptrace(2) allows, that is the jail's own
     "arch_prctl", "breakpoint", "cacheflush", "execve", "execveat", "exit", "exit_group", "fork", "futex",
     "futex_time64", "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid",
     "getpriority", "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "ioprio_set", "kill", "pidfd_getfd",
     "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "process_mrelease", "process_vm_readv",
     "process_vm_writev", "ptrace", "restart_syscall", "rseq", "sched_get_priority_max", "sched_get_priority_min",
     "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
     "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
     "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address", "set_tls", "setpgid", "setpriority",
     "setrlimit", "setsid", "sysinfo", "times", "tgkill", "tkill", "ugetrlimit", "uname", "vfork", "wait4", "waitid",
     "waitpid",
     // signals
     "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
     "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction", "sigaltstack", "signal", "signalfd",
     "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend",
     // users and rights, as far as the capabilities go; more confinement of one's own
     "capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
     "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32", "landlock_add_rule",
     "landlock_create_ruleset", "landlock_restrict_self", "seccomp", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
     "setgid", "setgid32", "setgroups", "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32",
     "setresuid", "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
     // time (setting it still needs CAP_SYS_TIME)
     "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
     "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer", "getrandom", "gettimeofday",
     "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
     "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
     "timerfd_settime", "timerfd_settime64",
     // talking to each other; the ipc and network namespaces are the jail's own
     "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "ipc", "listen",
     "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
     "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "recv", "recvfrom", "recvmmsg",
     "recvmmsg_time64", "recvmsg", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send", "sendmmsg",
     "sendmsg", "sendto", "setsockopt", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "socketcall", "socketpair"});

// clone3(2) is left out: its flags lie in memory, where a filter cannot see them; glibc falls back to clone(2).
constexpr std::uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

constexpr ArgumentMatch equal(unsigned index, std::uint64_t value) {
    return {index, Comparison::equal, value, 0};
}

constexpr std::array kConditional = std::to_array<ConditionalCall>({
    {"clone", {0, Comparison::masked_equal, 0, kNamespaceFlags}},
    // personality(2): PER_LINUX, PER_LINUX32, both with UNAME26, and asking
    {"personality", equal(0, 0x0)},
    {"personality", equal(0, 0x8)},
    {"personality", equal(0, 0x20000)},
    {"personality", equal(0, 0x20008)},
    {"personality", equal(0, 0xffffffff)},
    // socket(2): neither vsock(7), which leaves every network namespace, nor families that only drivers need
    {"socket", equal(0, AF_UNIX)},
    {"socket", equal(0, AF_INET)},
    {"socket", equal(0, AF_INET6)},
    {"socket", equal(0, AF_NETLINK), true, {2, Comparison::not_equal, NETLINK_AUDIT, 0}},
});

// Keyrings (add_key, keyctl, request_key) belong to users of the whole host.
constexpr std::array kRefused = std::to_array<std::string_view>(
    {"acct",         "add_key",         "bpf",           "delete_module",   "fanotify_init",
     "finit_module", "fsconfig",        "fsmount",       "fsopen",          "fspick",
     "init_module",  "ioperm",          "iopl",          "kexec_file_load", "kexec_load",
     "keyctl",       "mount",           "mount_setattr", "move_mount",      "open_by_handle_at",
     "open_tree",    "perf_event_open", "pivot_root",    "quotactl",        "reboot",
     "request_key",  "setdomainname",   "sethostname",   "setns",           "settimeofday",
     "swapoff",      "swapon",          "syslog",        "umount",          "umount2",
     "unshare",      "userfaultfd",     "vhangup"});

}  // namespace

std::span<const std::string_view> allowed_calls() {
    return kAllowed;
}
std::span<const ConditionalCall> conditional_calls() {
    return kConditional;
}
std::span<const std::string_view> refused_calls() {
    return kRefused;
}

}  // namespace jaild::kernel
