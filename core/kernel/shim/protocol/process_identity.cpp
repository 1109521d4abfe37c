#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {

Result<bool> is_process(pid_t pid, std::int64_t started) {
    const auto seen = start_time(pid);
    if (!seen) return std::unexpected(seen.error());
    return *seen == started;
}

}  // namespace jaild::shim
