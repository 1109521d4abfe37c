#include "core/kernel/stats.h"

#include <fmt/format.h>

namespace jaild::kernel {

Error process_not_found(std::int64_t pid, std::size_t place) {
    return Error{.code = Errc::not_found,
                 .op = "kill",
                 .detail = fmt::format("process {} is none of this jail's", pid),
                 .reason = "process_not_found",
                 .field = fmt::format("/pids/{}", place),
                 .remedy = "take the host's pids of the jail's processes: jaildctl ps NAME"};
}

Error process_held(std::int64_t pid, std::size_t place) {
    return Error{.code = Errc::conflict,
                 .op = "kill",
                 .detail = fmt::format("process {} is jaild's own, and the jail needs it", pid),
                 .reason = "process_held",
                 .field = fmt::format("/pids/{}", place),
                 .remedy = "leave it out; to stop the jail: jaildctl stop NAME"};
}

}  // namespace jaild::kernel
