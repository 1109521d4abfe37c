#include "core/kernel/state_check.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/base/error.h"

namespace jaild::kernel {

using model::Check;
using model::CheckState;

Check judge_state_directory(const std::filesystem::path& state, uid_t owner, mode_t mode) {
    constexpr mode_t kOthers = 077;
    constexpr mode_t kOthersWrite = 022;
    Check check{.name = "state_directory"};
    if (owner == 0 && (mode & kOthers) == 0) {
        check.detail = fmt::format("only root gets into {}", state.string());
        return check;
    }
    check.state = owner != 0 || (mode & kOthersWrite) != 0 ? CheckState::problem : CheckState::warning;
    check.detail = fmt::format(
        "users of this host get into {}: a jail's root and such a user together can become root of the host",
        state.string());
    check.remedy = fmt::format("chown 0:0 {0} && chmod 700 {0}", state.string());
    return check;
}

Check check_state_directory(const std::filesystem::path& state) {
    struct stat status {};
    if (::stat(state.c_str(), &status) == 0) return judge_state_directory(state, status.st_uid, status.st_mode);
    return {.name = "state_directory",
            .state = CheckState::problem,
            .detail = Error::from_errno("stat", errno, state.string()).to_string(),
            .remedy = "see why it is gone before jaild is started again: it holds the database and the jails' roots"};
}

}  // namespace jaild::kernel
