#include <cerrno>
#include <charconv>
#include <string>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {

Result<std::optional<std::int64_t>> start_time(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = files::read("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat) {
        if (stat.error().sys == ENOENT || stat.error().sys == ESRCH) return std::nullopt;
        return std::unexpected(stat.error());
    }
    // proc(5): "pid (comm) state …", starttime is the 22nd. comm may hold anything, so count behind its last ')'.
    auto at = stat->rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
    const auto unreadable = [pid] {
        return std::unexpected(
            Error{.code = Errc::kernel, .op = "start_time", .detail = "/proc/" + std::to_string(pid) + "/stat"});
    };
    if (at == std::string::npos) return unreadable();
    std::int64_t value = 0;
    const auto* begin = stat->data() + at + 1;
    if (std::from_chars(begin, stat->data() + stat->size(), value).ec != std::errc{}) return unreadable();
    return value;
}

Result<std::string> boot_id() {
    auto text = files::read("/proc/sys/kernel/random/boot_id", 64);
    if (text) std::erase_if(*text, [](char c) { return c == '-' || c == '\n'; });
    return text;
}

}  // namespace jaild::shim
