#include "core/kernel/linux/inside.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/linux/mount_api.h"
#include "core/kernel/linux/own_thread.h"
#include "core/kernel/linux/process_namespace.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::kernel::inside {

Result<bool> is_mounted(const ProcessIdentity& process, const std::string& place) {
    const auto root = files::open_directory("/proc/" + std::to_string(process.pid) + "/root");
    if (!root) return std::unexpected(root.error());
    // As in open_namespace(): what is held is the jail's if its process is still there now.
    const auto same = shim::is_process(static_cast<pid_t>(process.pid), process.started);
    if (!same) return std::unexpected(same.error());
    if (!*same)
        return std::unexpected(Error{.code = Errc::not_found, .op = "is_mounted", .detail = "the jail has ended"});
    const auto directory = files::open_beneath(root->get(), place, O_PATH | O_DIRECTORY);
    if (!directory) return std::unexpected(directory.error());
    return mount_api::is_mount_root(directory->get());
}

Result<void> attach(const ProcessIdentity& process, const std::string& place, int tree) {
    const auto space = open_namespace(process, "mnt");
    if (!space) return std::unexpected(space.error());
    return on_own_thread([&space, &place, tree]() -> Result<void> {
        // A thread that shares its root and working directory with others cannot enter a mount namespace.
        if (::unshare(CLONE_FS) != 0) return std::unexpected(Error::from_errno("unshare", errno));
        if (::setns(space->get(), CLONE_NEWNS) != 0) return std::unexpected(Error::from_errno("setns", errno, "mnt"));
        const auto root = files::open_directory("/");  // the jail's from here on
        if (!root) return std::unexpected(root.error());
        const auto target = files::open_beneath(root->get(), place, O_PATH | O_DIRECTORY);
        if (!target) return std::unexpected(target.error());
        return mount_api::attach(tree, target->get());
    });
}

}  // namespace jaild::kernel::inside
