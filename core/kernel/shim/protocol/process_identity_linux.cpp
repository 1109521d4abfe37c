#include <charconv>
#include <string>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {

std::optional<std::int64_t> start_time(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = files::read("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat) return std::nullopt;
    // proc(5): "pid (comm) state …", starttime is the 22nd. comm may hold anything, so count behind its last ')'.
    auto at = stat->rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
    if (at == std::string::npos) return std::nullopt;
    std::int64_t value = 0;
    const auto* begin = stat->data() + at + 1;
    if (std::from_chars(begin, stat->data() + stat->size(), value).ec != std::errc{}) return std::nullopt;
    return value;
}

}  // namespace jaild::shim
