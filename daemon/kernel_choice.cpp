#include "daemon/kernel_choice.h"

#include <fmt/format.h>

#include "core/kernel/memory/memory_kernel.h"

namespace jaild::daemon {

Result<std::unique_ptr<kernel::Kernel>> make_kernel(const std::string& name, const kernel::DriverOptions& options) {
#ifndef __FreeBSD__
    const bool datasets = false;
#else
    const bool datasets = name != "memory";
#endif
    if (!options.zfs_parent.empty() && !datasets)
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "kernel",
                                     .detail = "zfs_parent is set, but only FreeBSD's driver makes roots on ZFS",
                                     .reason = "zfs_unavailable",
                                     .remedy = "take zfs_parent out of the configuration"});
    if (name == "memory") return kernel::make_memory_kernel(options);
#if defined(__linux__)
    if (name == "auto" || name == "linux") return kernel::make_linux_kernel(options);
#elif defined(__FreeBSD__)
    if (name == "auto" || name == "freebsd") return kernel::make_freebsd_kernel(options);
#endif
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "kernel",
                                 .detail = fmt::format("this build has no kernel driver \"{}\"", name),
                                 .reason = "kernel_not_built",
                                 .remedy = "use --kernel auto"});
}

}  // namespace jaild::daemon
