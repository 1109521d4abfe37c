#include <sys/param.h>
// after <sys/param.h>
#include <sys/mount.h>
#include <sys/sysctl.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "core/base/spawn.h"
#include "tests/catch.h"
#include "tests/host/processes.h"
#include "tests/host/residue.h"

namespace jaild::test::residue {
namespace {

/// Of jails with a root beneath the state directory, by jls(8).
std::set<int> jails_beneath(const std::filesystem::path& state) {
    std::set<int> found;
    const auto listed = run({"jls", "jid", "path"});
    REQUIRE(listed);
    std::istringstream lines(listed->output);
    int jid = 0;
    for (std::string path; lines >> jid && std::getline(lines >> std::ws, path);)
        if (path.starts_with(state.string() + "/")) found.insert(jid);
    return found;
}

int jail_of(pid_t process) {
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PID, process};
    kinfo_proc found{};
    std::size_t size = sizeof found;
    return ::sysctl(name.data(), 4, &found, &size, nullptr, 0) == 0 && size == sizeof found ? found.ki_jid : 0;
}

}  // namespace

std::vector<std::string> mounts_beneath(const std::filesystem::path& directory) {
    std::vector<struct statfs> seen(static_cast<std::size_t>(std::max(::getfsstat(nullptr, 0, MNT_NOWAIT), 0)) + 256);
    const int count = ::getfsstat(seen.data(), static_cast<long>(seen.size() * sizeof seen.front()), MNT_NOWAIT);
    REQUIRE(count >= 0);
    seen.resize(static_cast<std::size_t>(count));
    std::vector<std::string> found;
    const auto prefix = directory.string();
    for (const auto& mount : seen) {
        const std::string point = mount.f_mntonname;
        if (point == prefix || point.starts_with(prefix + "/")) found.push_back(point);
    }
    return found;
}

std::vector<pid_t> processes_of(const InstanceId& /*instance*/, const std::filesystem::path& state) {
    const auto jails = jails_beneath(state);
    std::vector<pid_t> found;
    for (const pid_t process : all_processes()) {
        if (process == ::getpid() || !lives(process)) continue;
        if (arguments_of(process).contains(state.string()) || jails.contains(jail_of(process)))
            found.push_back(process);
    }
    return found;
}

void unmount(const std::string& point) {
    ::unmount(point.c_str(), MNT_FORCE);
}

}  // namespace jaild::test::residue
