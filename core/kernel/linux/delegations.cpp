#include "core/kernel/linux/delegations.h"

namespace jaild::kernel {

Result<void> LinuxDelegations::check(const std::string& dataset) {
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "datasets",
                                 .detail = "a jail is given a dataset (" + dataset + ") by FreeBSD only: zfs-jail(8)",
                                 .reason = "datasets_unsupported",
                                 .remedy = "leave datasets out; show the jail a directory of the dataset by mounts"});
}

Result<void> LinuxDelegations::attach(JailId, const std::string& dataset) {
    return check(dataset);
}

Result<void> LinuxDelegations::detach(JailId, const std::string&) {
    return {};
}

}  // namespace jaild::kernel
