#include "core/kernel/linux/cgroups.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <set>
#include <string>

#include "core/base/files.h"
#include "core/base/unique_fd.h"
#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/linux/pure/cgroup_texts.h"
#include "core/kernel/linux/pure/process_texts.h"
#include "core/kernel/names.h"

namespace jaild::kernel::cgroups {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMembersLimit = 4 << 20;
constexpr int kRetryMilliseconds = 10;

/// "jaild/<instance>"
fs::path parent(const InstanceId& instance) {
    return fs::path(cgroup_path(instance, JailId{1})).parent_path();
}

/// Directories directly in `group`: groups beneath it. None when it does not exist.
Result<std::vector<std::string>> children(const fs::path& group) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator at(group, failed), end; !failed && at != end; at.increment(failed)) {
        std::error_code ignored;
        if (at->is_directory(ignored) && !at->is_symlink(ignored)) names.push_back(at->path().filename());
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return std::unexpected(Error::from_errno("readdir", failed.value(), group.string()));
    return names;
}

/// A best effort: not every kernel has every knob.
void set(const fs::path& knob, std::string_view value) {
    const UniqueFd fd(::open(knob.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return;
    [[maybe_unused]] const ssize_t put = ::write(fd.get(), value.data(), value.size());
}

bool is_member(pid_t pid, const std::string& path) {
    const auto groups = files::read("/proc/" + std::to_string(pid) + "/cgroup", kMembersLimit);
    return groups && proc::is_in_group(*groups, path);
}

/// A pid may be used again between our look and our signal: hold the process first, look at it again, then signal it.
void kill_members(const fs::path& group, const std::string& path) {
    const auto members = files::read(group / "cgroup.procs", kMembersLimit);
    if (!members) return;
    for (const auto member : pids_in(*members)) {
        const auto pid = static_cast<pid_t>(member);
        const UniqueFd held(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (held && is_member(pid, path)) ::syscall(SYS_pidfd_send_signal, held.get(), SIGKILL, nullptr, 0);
    }
}

void kill_all(const fs::path& group, const std::string& path) {
    set(group / "cgroup.kill", "1");         // version 2, from 5.14 on: the whole subtree at once
    set(group / "freezer.state", "THAWED");  // version 1: what is frozen does not die
    kill_members(group, path);
    for (const std::string& child : children(group).value_or(std::vector<std::string>{})) kill_all(group / child, path);
}

/// 0, or the errno of the group that could not be removed.
int remove_groups(const fs::path& group) {
    if (::rmdir(group.c_str()) == 0 || errno == ENOENT) return 0;
    if (errno != EBUSY && errno != ENOTEMPTY) return errno;
    const auto beneath = children(group);
    if (!beneath) return beneath.error().sys;
    for (const std::string& child : *beneath) {
        if (const int failed = remove_groups(group / child)) return failed;
    }
    return ::rmdir(group.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

Result<void> remove_group(const fs::path& group, const std::string& path,
                          std::chrono::steady_clock::time_point deadline) {
    int failed = remove_groups(group);
    while (failed == EBUSY) {
        kill_all(group, path);
        failed = remove_groups(group);
        if (failed != EBUSY) break;
        if (std::chrono::steady_clock::now() >= deadline) break;
        ::poll(nullptr, 0, kRetryMilliseconds);  // no kernel event says that the last member of a v1 group is gone
    }
    if (failed == 0) return {};
    Error error = Error::from_errno("rmdir", failed, group.string());
    if (error.code == Errc::busy) error.detail += "; a process in it does not end, even by SIGKILL";
    return std::unexpected(std::move(error));
}

}  // namespace

Result<Hierarchies> hierarchies() {
    Hierarchies found;
    std::set<dev_t> devices;  // one mounted twice is one
    auto read = for_each_mount([&](const MountEntry& entry) {
        if (entry.type != "cgroup" && entry.type != "cgroup2") return;
        struct stat seen {};
        if (::stat(entry.point.c_str(), &seen) == 0 && devices.insert(seen.st_dev).second)
            found.emplace_back(entry.point);
    });
    if (!read) return std::unexpected(read.error());
    return found;
}

Result<std::vector<JailId>> list(const Hierarchies& hierarchies, const InstanceId& instance) {
    std::set<JailId> ids;
    const fs::path ours = parent(instance);
    for (const fs::path& hierarchy : hierarchies) {
        const auto groups = children(hierarchy / ours);
        if (!groups) return std::unexpected(groups.error());
        for (const std::string& name : *groups) {
            JailId id;
            const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), id.value);
            if (failed == std::errc{} && end == name.data() + name.size() && id.value > 0) ids.insert(id);
        }
    }
    return std::vector<JailId>(ids.begin(), ids.end());
}

Result<bool> exists(const Hierarchies& hierarchies, const InstanceId& instance, JailId id) {
    for (const fs::path& hierarchy : hierarchies) {
        const fs::path group = hierarchy / cgroup_path(instance, id);
        std::error_code failed;
        const bool there = fs::exists(group, failed);
        if (failed) return std::unexpected(Error::from_errno("stat", failed.value(), group.string()));
        if (there) return true;
    }
    return false;
}

Result<void> remove(const Hierarchies& hierarchies, const InstanceId& instance, JailId id,
                    std::chrono::steady_clock::time_point deadline) {
    const std::string path = cgroup_path(instance, id);
    for (const fs::path& hierarchy : hierarchies) {
        if (auto removed = remove_group(hierarchy / path, path, deadline); !removed) return removed;
    }
    return {};
}

void remove_empty_parents(const Hierarchies& hierarchies, const InstanceId& instance) {
    for (const fs::path& hierarchy : hierarchies) {
        const fs::path ours = hierarchy / parent(instance);
        if (::rmdir(ours.c_str()) == 0) ::rmdir(ours.parent_path().c_str());
    }
}

}  // namespace jaild::kernel::cgroups
