#include "core/kernel/freebsd/jail_attacher.h"

#include <cerrno>

#include "core/kernel/freebsd/our_prisons.h"

namespace jaild::kernel {
namespace {

Error not_running() {
    return Error{
        .code = Errc::conflict, .op = "jail_get", .detail = "the jail is not running", .reason = "jail_not_running"};
}

}  // namespace

Result<shim::Launch> JailAttacher::prepare(JailId id, const Program& program) {
    if (const auto good = check_program(program); !good) return std::unexpected(good.error());
    const auto found = freebsd::our_prison(places_, id);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_running());
    shim::Launch launch{.mode = shim::LaunchMode::jail,
                        .argv = program.argv,
                        .environment = {},
                        .document = {},
                        .pid_file = {},
                        .jail_name = (*found)->name,
                        .jid = (*found)->jid,
                        .jail_path = (*found)->path,
                        .user = program.user,
                        .directory = program.directory};
    for (const auto& [name, value] : program.environment) launch.environment.push_back(name + "=" + value);
    return launch;
}

Error JailAttacher::explain(const Program& program, const shim::Refused& refused) const {
    if (refused.stage == shim::Stage::attach && (refused.code == ESRCH || refused.code == EINVAL))
        return Error{.code = Errc::conflict,
                     .op = "jail_attach",
                     .sys = static_cast<int>(refused.code),
                     .detail = "the jail is not running: " + refused.text,
                     .reason = "jail_not_running"};
    return explain_refusal(program, refused);
}

}  // namespace jaild::kernel
