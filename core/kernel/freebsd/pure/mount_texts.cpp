#include "core/kernel/freebsd/pure/mount_texts.h"

#include <charconv>

namespace jaild::kernel::freebsd {

std::string_view filesystem_type(MountKind kind) {
    switch (kind) {
        case MountKind::bind:
            return "nullfs";
        case MountKind::devfs:
            return "devfs";
        case MountKind::fdescfs:
            return "fdescfs";
        case MountKind::linprocfs:
            return "linprocfs";
        case MountKind::linsysfs:
            return "linsysfs";
        case MountKind::procfs:
            return "procfs";
        case MountKind::tmpfs:
            return "tmpfs";
        case MountKind::zfs:
            return "zfs";
    }
    return {};
}

std::string mounted_from(const Mount& mount) {
    const bool has_source = mount.kind == MountKind::bind || mount.kind == MountKind::zfs;
    return has_source ? mount.source : std::string(filesystem_type(mount.kind));
}

std::vector<MountOption> mount_options(const Mount& mount, const std::string& path) {
    std::vector<MountOption> options{{.name = "fstype", .value = std::string(filesystem_type(mount.kind))},
                                     {.name = "fspath", .value = path},
                                     {.name = "from", .value = mounted_from(mount)}};
    if (mount.kind == MountKind::devfs && mount.ruleset != 0)
        options.push_back({.name = "ruleset", .value = std::to_string(mount.ruleset)});
    // tmpfs(5); the mode is that of the covered directory without it.
    if (mount.kind == MountKind::tmpfs && mount.of_spec) options.push_back({.name = "mode", .value = "1777"});
    if (mount.kind == MountKind::tmpfs && mount.size.count != 0)
        options.push_back({.name = "size", .value = std::to_string(mount.size.count)});
    return options;
}

std::optional<ObservedMount> parse_mount_point(std::string_view jails, std::string_view point) {
    if (!point.starts_with(jails)) return std::nullopt;
    point.remove_prefix(jails.size());
    if (!point.starts_with('/')) return std::nullopt;
    point.remove_prefix(1);
    ObservedMount mount;
    const auto [end, failed] = std::from_chars(point.data(), point.data() + point.size(), mount.id.value);
    if (failed != std::errc{} || mount.id.value <= 0) return std::nullopt;
    point.remove_prefix(static_cast<std::size_t>(end - point.data()));
    if (point.size() < 2 || point.front() != '/') return std::nullopt;
    mount.target = point.substr(1);
    return mount;
}

std::string filesystem_id(std::int32_t first, std::int32_t second) {
    return "FSID:" + std::to_string(first) + ":" + std::to_string(second);
}

}  // namespace jaild::kernel::freebsd
