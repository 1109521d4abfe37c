#include "core/kernel/mounts.h"

#include <algorithm>
#include <utility>

namespace jaild::kernel {
namespace {

MountKind kind_of(model::MountType type) {
    switch (type) {
        case model::MountType::nullfs:
            return MountKind::bind;
        case model::MountType::tmpfs:
            return MountKind::tmpfs;
        case model::MountType::devfs:
            return MountKind::devfs;
        case model::MountType::fdescfs:
            return MountKind::fdescfs;
        case model::MountType::procfs:
            return MountKind::procfs;
        case model::MountType::linprocfs:
            return MountKind::linprocfs;
        case model::MountType::linsysfs:
            return MountKind::linsysfs;
        case model::MountType::zfs:
            return MountKind::zfs;
    }
    std::unreachable();
}

constexpr int kJailRuleset = 4;  // /etc/defaults/devfs.rules: devfsrules_jail

}  // namespace

Mount mount_of(const model::MountSpec& spec, RootOwner owner) {
    return {.kind = kind_of(spec.type),
            .source = spec.source,
            .target = "root" + spec.target,
            .read_only = spec.read_only,
            .no_suid = spec.no_suid,
            .ruleset = spec.type == model::MountType::devfs ? kJailRuleset : 0,
            .no_exec = spec.no_exec,
            .of_spec = true,
            .own_root = owner == RootOwner::jaild,
            .create = spec.create,
            .size = spec.size};
}

std::vector<Mount> mounts_of(const std::vector<model::MountSpec>& specs, RootOwner owner) {
    std::vector<Mount> mounts;
    for (const auto& spec : specs) mounts.push_back(mount_of(spec, owner));
    std::ranges::sort(mounts, {}, &Mount::target);
    return mounts;
}

}  // namespace jaild::kernel
