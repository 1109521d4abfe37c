#include "core/kernel/freebsd/jail_attacher.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/jail.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace jaild::kernel {
namespace {

struct Found {
    int jid = 0;
    std::string name;
};

/// The living jail with that root, by a walk over all: jail_get(2) "lastjid".
Result<Found> jail_of(const std::string& root) {
    int last = 0;
    for (;;) {
        std::array<char, MAXHOSTNAMELEN> name{};
        std::array<char, MAXPATHLEN> path{};
        const auto part = [](void* base, std::size_t size) { return iovec{.iov_base = base, .iov_len = size}; };
        const auto key = [&](const char* text) { return part(const_cast<char*>(text), std::strlen(text) + 1); };
        std::array<iovec, 6> parameters{key("lastjid"), part(&last, sizeof last),
                                        key("name"),    part(name.data(), name.size()),
                                        key("path"),    part(path.data(), path.size())};
        const int jid = ::jail_get(parameters.data(), static_cast<unsigned>(parameters.size()), 0);
        if (jid < 0 && errno == ENOENT)
            return std::unexpected(Error{.code = Errc::conflict,
                                         .op = "jail_get",
                                         .detail = "the jail is not running",
                                         .reason = "jail_not_running"});
        if (jid < 0) return std::unexpected(Error::from_errno("jail_get", errno));
        if (root == path.data()) return Found{.jid = jid, .name = name.data()};
        last = jid;
    }
}

}  // namespace

Result<shim::Launch> JailAttacher::prepare(JailId id, const Program& program) {
    if (const auto good = check_program(program); !good) return std::unexpected(good.error());
    const auto root = (state_ / "jails" / std::to_string(id.value) / "root").string();
    const auto found = jail_of(root);
    if (!found) return std::unexpected(found.error());
    shim::Launch launch{.mode = shim::LaunchMode::jail,
                        .argv = program.argv,
                        .environment = {},
                        .document = {},
                        .pid_file = {},
                        .jail_name = found->name,
                        .jid = found->jid,
                        .jail_path = root,
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
