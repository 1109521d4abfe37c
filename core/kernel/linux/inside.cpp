#include "core/kernel/linux/inside.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/base/unique_fd.h"
#include "core/kernel/linux/mount_api.h"
#include "core/kernel/linux/own_thread.h"

namespace jaild::kernel::inside {

bool is_mounted(std::int64_t pid, const std::string& place) {
    const auto root = files::open_directory("/proc/" + std::to_string(pid) + "/root");
    if (!root) return false;
    const auto directory = files::open_beneath(root->get(), place, O_PATH | O_DIRECTORY);
    if (!directory) return false;
    const auto mounted = mount_api::is_mount_root(directory->get());
    return mounted && *mounted;
}

Result<void> attach(std::int64_t pid, const std::string& place, int tree) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/mnt";
    const UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space) return std::unexpected(Error::from_errno("open", errno, path));
    return on_own_thread([&space, &path, &place, tree]() -> Result<void> {
        // A thread that shares its root and working directory with others cannot enter a mount namespace.
        if (::unshare(CLONE_FS) != 0) return std::unexpected(Error::from_errno("unshare", errno));
        if (::setns(space.get(), CLONE_NEWNS) != 0) return std::unexpected(Error::from_errno("setns", errno, path));
        const auto root = files::open_directory("/");  // the jail's from here on
        if (!root) return std::unexpected(root.error());
        const auto target = files::open_beneath(root->get(), place, O_PATH | O_DIRECTORY);
        if (!target) return std::unexpected(target.error());
        return mount_api::attach(tree, target->get());
    });
}

}  // namespace jaild::kernel::inside
