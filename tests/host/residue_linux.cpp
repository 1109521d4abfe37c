#include <dirent.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "core/base/files.h"
#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/names.h"
#include "tests/host/eventually.h"
#include "tests/host/residue.h"

namespace jaild::test::residue {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream all;
    all << stream.rdbuf();
    return std::move(all).str();
}

std::string arguments(pid_t process) {
    auto text = content("/proc/" + std::to_string(process) + "/cmdline");
    std::ranges::replace(text, '\0', ' ');
    return text;
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> all;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const auto name = entry.path().filename().string();
        pid_t process = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
        if (error == std::errc{} && end == name.data() + name.size()) all.push_back(process);
    }
    return all;
}

bool is_zombie(pid_t process) {
    return content("/proc/" + std::to_string(process) + "/stat").find(") Z ") != std::string::npos;
}

bool lives(pid_t process) {
    return ::kill(process, 0) == 0 && !is_zombie(process);
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
        if (process == ::getpid() || is_zombie(process)) continue;
        const auto argv = arguments(process);
        const auto groups = content("/proc/" + std::to_string(process) + "/cgroup");
        if (argv.contains(state.string()) || argv.contains("jaild-" + instance.text()) ||
            groups.contains("/jaild/" + instance.text() + "/")) {
            found.push_back(process);
        }
    }
    return found;
}

std::string describe(pid_t process) {
    return "process " + std::to_string(process) + ": " + arguments(process);
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

void kill_all(const std::vector<pid_t>& processes) {
    for (const pid_t process : processes) ::kill(process, SIGKILL);
    eventually([&] { return std::ranges::none_of(processes, lives); });
}

void remove_state(const fs::path& directory) {
    auto mounts = mounts_beneath(directory);
    for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
        ::umount2(mount->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    }
    const auto parent = files::open_directory(directory.parent_path());
    if (parent) (void)files::remove_tree(parent->get(), directory.filename().string());
}

}  // namespace jaild::test::residue
