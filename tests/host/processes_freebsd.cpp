#include <sys/types.h>
// after <sys/types.h>
#include <sys/sysctl.h>
#include <sys/user.h>

#include <algorithm>
#include <array>
#include <optional>

#include "tests/catch.h"
#include "tests/host/processes.h"

namespace jaild::test {
namespace {

std::optional<kinfo_proc> look(pid_t process) {
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PID, process};
    kinfo_proc found{};
    std::size_t size = sizeof found;
    if (::sysctl(name.data(), 4, &found, &size, nullptr, 0) != 0 || size != sizeof found) return std::nullopt;
    return found;
}

}  // namespace

std::vector<pid_t> all_processes() {
    std::array<int, 3> name{CTL_KERN, KERN_PROC, KERN_PROC_PROC};
    std::size_t size = 0;
    REQUIRE(::sysctl(name.data(), 3, nullptr, &size, nullptr, 0) == 0);
    std::vector<kinfo_proc> found(size / sizeof(kinfo_proc) + 64);  // some may start in between
    size = found.size() * sizeof(kinfo_proc);
    REQUIRE(::sysctl(name.data(), 3, found.data(), &size, nullptr, 0) == 0);
    found.resize(size / sizeof(kinfo_proc));
    std::vector<pid_t> all;
    for (const auto& process : found) all.push_back(process.ki_pid);
    return all;
}

std::string arguments_of(pid_t process) {
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_ARGS, process};
    std::string text(16 * 1024, '\0');
    std::size_t size = text.size();
    if (::sysctl(name.data(), 4, text.data(), &size, nullptr, 0) != 0) return {};
    text.resize(size);
    std::ranges::replace(text, '\0', ' ');
    return text;
}

pid_t parent_of(pid_t process) {
    const auto found = look(process);
    REQUIRE(found);
    REQUIRE(found->ki_ppid > 1);
    return found->ki_ppid;
}

bool lives(pid_t process) {
    const auto found = look(process);
    return found && found->ki_stat != SZOMB;
}

}  // namespace jaild::test
