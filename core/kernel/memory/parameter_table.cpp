#include "core/kernel/memory/parameter_table.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace jaild::kernel::memory {
namespace {

using freebsd::ParameterKind;
using freebsd::ParameterType;
using freebsd::Settable;

struct Row {
    std::string_view name;
    ParameterType type;
};

constexpr ParameterType kFlag{.kind = ParameterKind::boolean, .settable = Settable::always, .size = 4};
constexpr ParameterType kNumber{.kind = ParameterKind::int32, .settable = Settable::always, .size = 4};
constexpr ParameterType kSubsystem{.kind = ParameterKind::jail_sys, .settable = Settable::always, .size = 4};

constexpr ParameterType text(std::size_t size, Settable settable = Settable::always) {
    return {.kind = ParameterKind::text, .settable = settable, .size = size};
}

/// kern_jail.c, sysv_*.c, linux_mib.c and zfs_vfsops.c of FreeBSD 14.0.
constexpr std::array kTable{
    Row{"allow.chflags", kFlag},
    Row{"allow.mlock", kFlag},
    Row{"allow.mount", kFlag},
    Row{"allow.mount.devfs", kFlag},
    Row{"allow.mount.fdescfs", kFlag},
    Row{"allow.mount.nullfs", kFlag},
    Row{"allow.mount.procfs", kFlag},
    Row{"allow.mount.tmpfs", kFlag},
    Row{"allow.mount.zfs", kFlag},
    Row{"allow.nfsd", kFlag},
    Row{"allow.quotas", kFlag},
    Row{"allow.raw_sockets", kFlag},
    Row{"allow.read_msgbuf", kFlag},
    Row{"allow.reserved_ports", kFlag},
    Row{"allow.set_hostname", kFlag},
    Row{"allow.socket_af", kFlag},
    Row{"allow.suser", kFlag},
    Row{"allow.sysvipc", kFlag},
    Row{"allow.unprivileged_proc_debug", kFlag},
    Row{"allow.vmm", kFlag},
    Row{"children.max", kNumber},
    Row{"enforce_statfs", kNumber},
    Row{"host.domainname", text(256)},
    Row{"host.hostid", {.kind = ParameterKind::uint64, .settable = Settable::always, .size = 8}},
    Row{"host.hostuuid", text(64)},
    Row{"ip4", {.kind = ParameterKind::jail_sys, .settable = Settable::at_creation, .size = 4}},
    Row{"ip4.addr", {.kind = ParameterKind::ipv4_list, .settable = Settable::always, .size = 0}},
    Row{"ip4.saddrsel", kFlag},
    Row{"ip6", {.kind = ParameterKind::jail_sys, .settable = Settable::at_creation, .size = 4}},
    Row{"ip6.addr", {.kind = ParameterKind::ipv6_list, .settable = Settable::always, .size = 0}},
    Row{"ip6.saddrsel", kFlag},
    Row{"linux", kSubsystem},
    Row{"linux.osname", text(65)},
    Row{"linux.osrelease", text(65)},
    Row{"linux.oss_version", kNumber},
    Row{"osreldate", {.kind = ParameterKind::int32, .settable = Settable::at_creation, .size = 4}},
    Row{"osrelease", text(32, Settable::at_creation)},
    Row{"securelevel", kNumber},
    Row{"sysvmsg", kSubsystem},
    Row{"sysvsem", kSubsystem},
    Row{"sysvshm", kSubsystem},
    Row{"zfs", kSubsystem},
    Row{"zfs.mount_snapshot", kNumber},
};

/// JAIL_DEFAULT_ALLOW of kern_jail.c; and those of a jail that jaild makes.
constexpr std::array<std::string_view, 4> kOnByDefault{"allow.reserved_ports", "allow.set_hostname", "allow.suser",
                                                       "allow.unprivileged_proc_debug"};

model::ParameterValue default_value(const freebsd::KnownParameter& parameter) {
    switch (parameter.type.kind) {
        case ParameterKind::boolean:
            return (std::ranges::find(kOnByDefault, parameter.name) != kOnByDefault.end()) != parameter.negated;
        case ParameterKind::jail_sys:
            return std::string("disable");
        case ParameterKind::text:
            return std::string();
        case ParameterKind::ipv4_list:
        case ParameterKind::ipv6_list:
            return std::vector<IpAddress>{};
        default:
            return std::int64_t{parameter.name == "enforce_statfs" ? 2 : parameter.name == "securelevel" ? -1 : 0};
    }
}

}  // namespace

std::optional<ParameterType> parameter_type(const std::string& name) {
    const auto* const found = std::ranges::find(kTable, name, &Row::name);
    return found == kTable.end() ? std::nullopt : std::optional(found->type);
}

Result<std::optional<ParameterType>> ask_parameter_type(const std::string& name) {
    return parameter_type(name);
}

model::ParameterValue shown(const freebsd::KnownParameter& parameter, const std::optional<ParameterSetting>& setting) {
    if (!setting) return default_value(parameter);
    if (const auto* flag = std::get_if<bool>(&*setting)) return *flag != parameter.negated;
    // The bytes are the same in both directions.
    const auto bytes = freebsd::encode({{.name = parameter.name, .value = *setting}}).front().value;
    return freebsd::from_kernel(parameter, bytes.value_or("")).value_or(default_value(parameter));
}

}  // namespace jaild::kernel::memory
