// jaild-pause: process 1 of a jail on Linux. It owns the jail's namespaces, reaps what is orphaned in them and ends on
// SIGTERM or SIGINT; the kernel then kills everything else in its pid namespace (pid_namespaces(7)).
//
// It stands on bare system calls, without a C library: a jail costs a few KiB of memory instead of half a megabyte, and
// what is visible inside as /dev/.jaild-pause is a few hundred instructions that read nothing of the jail's.

#include <asm/unistd.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

namespace {

long system_call(long number, long first = 0, long second = 0, long third = 0, long fourth = 0) {
#if defined(__x86_64__)
    long result = number;
    register long r10 asm("r10") = fourth;
    asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second), "d"(third), "r"(r10) : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = first;
    register long x1 asm("x1") = second;
    register long x2 asm("x2") = third;
    register long x3 asm("x3") = fourth;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "jaild-pause knows x86-64 and arm64"
#endif
}

/// Whoever started the jail may wait for the end of its pipes: let go of them.
void detach_standard_streams() {
    static const char null_device[] = "/dev/null";
    const long null = system_call(__NR_openat, AT_FDCWD, reinterpret_cast<long>(null_device), O_RDWR | O_CLOEXEC);
    for (long stream = 0; stream <= 2; ++stream) {
        if (null >= 0 && null != stream) {
            system_call(__NR_dup3, null, stream, 0);
        } else if (null < 0) {
            system_call(__NR_close, stream);
        }
    }
}

void reap() {
    while (system_call(__NR_wait4, -1, 0, WNOHANG | __WALL, 0) > 0) {
    }
}

[[noreturn]] void run() {
    // A blocked signal is queued, also for process 1, whose default is to ignore it.
    static const unsigned long all_signals = ~0UL;
    static_assert(sizeof all_signals == 8, "the kernel's sigset_t has 64 bits");
    const long set = reinterpret_cast<long>(&all_signals);
    system_call(__NR_rt_sigprocmask, SIG_SETMASK, set, 0, sizeof all_signals);
    detach_standard_streams();

    for (;;) {
        reap();
        const long signal = system_call(__NR_rt_sigtimedwait, set, 0, 0, sizeof all_signals);
        if (signal == SIGTERM || signal == SIGINT) {
            for (;;) system_call(__NR_exit_group, 0);
        }
    }
}

}  // namespace

/// The program's entry: nothing of argc, argv or envp is used, so the stack is only aligned (by the attribute).
extern "C"
    [[noreturn]]
#if defined(__x86_64__)
    __attribute__((force_align_arg_pointer))
#endif
    void
    _start() {
    run();
}
