#include "core/kernel/freebsd/system/rctl.h"

#include <sys/types.h>
// after <sys/types.h>
#include <sys/rctl.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/freebsd/system/sysctl.h"

namespace jaild::kernel::freebsd::rctl {
namespace {

constexpr std::size_t kFirstSize = 16 * 1024;
constexpr std::size_t kLargestSize = 16 * 1024 * 1024;  // kern.racct.rctl.maxbufsize by default

Error unsupported(bool built_in) {
    return Error{.code = Errc::unsupported,
                 .op = "rctl",
                 .detail = built_in ? "this kernel enforces no limits: kern.racct.enable is 0"
                                    : "this kernel is built without RACCT and RCTL",
                 .reason = "limits_unsupported",
                 .remedy = built_in ? "sysrc -f /boot/loader.conf kern.racct.enable=1 && shutdown -r now"
                                    : "use GENERIC, and kern.racct.enable=1 in /boot/loader.conf"};
}

Result<void> done(int result, std::string_view op, const std::string& rule) {
    if (result == 0) return {};
    const int saved = errno;
    if (saved == ENOSYS) return std::unexpected(unsupported(true));
    return std::unexpected(Error::from_errno(op, saved, rule));
}

}  // namespace

Result<void> supported() {
    const auto on = sysctl::number("kern.racct.enable");
    if (!on) return std::unexpected(on.error());
    if (on->value_or(0) != 0) return {};
    return std::unexpected(unsupported(on->has_value()));
}

Result<std::vector<JailRule>> rules(const std::string& filter) {
    for (std::size_t size = kFirstSize;; size *= 4) {
        std::string text(size, '\0');
        if (::rctl_get_rules(filter.c_str(), filter.size() + 1, text.data(), text.size()) == 0) {
            text.resize(text.find('\0'));
            return parse_rules(text);
        }
        // ERANGE: there are more than fit.
        if (errno != ERANGE || size >= kLargestSize) return std::unexpected(done(-1, "rctl_get_rules", filter).error());
    }
}

Result<void> add(const std::string& rule) {
    return done(::rctl_add_rule(rule.c_str(), rule.size() + 1, nullptr, 0), "rctl_add_rule", rule);
}

std::optional<std::uint64_t> usage(const std::string& jail, std::string_view resource) {
    const auto filter = filter_text(jail);
    std::string text(kFirstSize, '\0');
    if (::rctl_get_racct(filter.c_str(), filter.size() + 1, text.data(), text.size()) != 0) return std::nullopt;
    text.resize(std::min(text.find('\0'), text.size()));
    return usage_in(text, resource);
}

Result<void> remove(const std::string& filter) {
    const int result = ::rctl_remove_rule(filter.c_str(), filter.size() + 1, nullptr, 0);
    if (result != 0 && errno == ESRCH) return {};
    return done(result, "rctl_remove_rule", filter);
}

}  // namespace jaild::kernel::freebsd::rctl
