#include "tests/host/residue_linux.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/names.h"
#include "tests/host/processes.h"

namespace jaild::test::residue {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream all;
    all << stream.rdbuf();
    return std::move(all).str();
}

}  // namespace

std::vector<std::string> mounts_beneath(const fs::path& directory) {
    std::vector<std::string> found;
    const auto prefix = directory.string();
    (void)kernel::for_each_mount([&](const kernel::MountEntry& entry) {
        if (entry.point == prefix || entry.point.starts_with(prefix + "/")) found.push_back(entry.point);
    });
    return found;
}

std::vector<pid_t> processes_of(const InstanceId& instance, const fs::path& state) {
    std::vector<pid_t> found;
    for (const pid_t process : all_processes()) {
        if (process == ::getpid() || !lives(process)) continue;
        const auto argv = arguments_of(process);
        const auto groups = content("/proc/" + std::to_string(process) + "/cgroup");
        if (argv.contains(state.string()) || argv.contains("jaild-" + instance.text()) ||
            groups.contains("/jaild/" + instance.text() + "/")) {
            found.push_back(process);
        }
    }
    return found;
}

std::vector<std::string> namespaces_of(const InstanceId& instance) {
    auto names = kernel::netns::list().value_or(std::vector<std::string>());
    std::erase_if(names, [&](const std::string& name) { return !kernel::parse_container_name(instance, name); });
    return names;
}

std::vector<fs::path> groups_of(const InstanceId& instance) {
    std::vector<fs::path> found;
    std::error_code ignored;
    (void)kernel::for_each_mount([&](const kernel::MountEntry& entry) {
        if (entry.type != "cgroup" && entry.type != "cgroup2") return;
        const auto top = fs::path(entry.point) / "jaild" / instance.text();
        if (!fs::is_directory(top, ignored)) return;
        found.push_back(top);
        for (const auto& group : fs::recursive_directory_iterator(top, ignored)) {
            if (group.is_directory(ignored)) found.push_back(group.path());
        }
    });
    std::ranges::reverse(found);
    return found;
}

std::vector<fs::path> runtime_directories_of(const InstanceId& instance) {
    const fs::path directory = "/run/jaild-" + instance.text();
    std::error_code ignored;
    if (!fs::exists(directory, ignored)) return {};
    return {directory};
}

void unmount(const std::string& point) {
    ::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

}  // namespace jaild::test::residue
