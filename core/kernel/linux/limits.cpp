#include "core/kernel/linux/limits.h"

namespace jaild::kernel {

Result<void> LinuxLimits::supported() {
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "limits",
              .detail = "limits are those of rctl(8), FreeBSD's; jaild does not set control groups yet",
              .reason = "limits_unsupported",
              .remedy = "leave limits out"});
}

Result<std::vector<ObservedLimits>> LinuxLimits::list(const std::vector<LimitSubject>& jails) {
    std::vector<ObservedLimits> listed;
    listed.reserve(jails.size());
    for (const auto& jail : jails) listed.push_back({.id = jail.id, .supported = false, .rules = {}});
    return listed;
}

Result<void> LinuxLimits::ensure(const LimitSubject&, const model::Limits& limits) {
    return limits.empty() ? Result<void>{} : supported();
}

Result<void> LinuxLimits::remove(const LimitSubject&) {
    return {};
}

}  // namespace jaild::kernel
