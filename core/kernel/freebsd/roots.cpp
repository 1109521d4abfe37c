#include "core/kernel/freebsd/roots.h"

#include <unistd.h>

#include <array>
#include <string_view>

#include "core/base/files.h"
#include "core/kernel/freebsd/host_template.h"
#include "core/kernel/roots/etc_text.h"
#include "core/kernel/roots/path_root.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {

namespace {

namespace host_template = freebsd::host_template;

constexpr std::array<std::string_view, 1> kMountPoints{"dev"};
constexpr std::size_t kResolvConfLimit = 1 << 16;

/// devfsrules_jail and devfsrules_jail_vnet of /etc/defaults/devfs.rules. The second shows pf(4) too, which makes sense
/// only with a network stack that something reaches.
constexpr int kJailRuleset = 4;
constexpr int kVnetRuleset = 5;

/// The host's own that a jail can reach.
std::vector<IpAddress> host_nameservers() {
    const auto text = files::read("/etc/resolv.conf", kResolvConfLimit);
    return text ? etc::reachable_nameservers(*text) : std::vector<IpAddress>{};
}

}  // namespace

Result<std::vector<JailId>> FreeBsdRoots::list() {
    return directories_.list();
}

Result<bool> FreeBsdRoots::prepared(JailId id) {
    return directories_.prepared(id);
}

Result<void> FreeBsdRoots::check(const model::RootSpec& root, const std::string& template_name) {
    if (root.kind == model::RootKind::path) return check_path_root(root.path, directories_.state(), kMountPoints);
    if (template_name == "host") return {};
    return std::unexpected(Error::invalid("template_unknown", "/template", "there is no template " + template_name));
}

Result<void> FreeBsdRoots::prepare(const RootParameters& parameters) {
    if (auto checked = check(parameters.root, parameters.template_name); !checked) return checked;
    const auto jail = directories_.make(parameters.id);
    if (!jail) return std::unexpected(jail.error());
    if (parameters.root.kind == model::RootKind::path) {
        const auto root = place::directory(jail->get(), "root", 0700);  // only a mount point
        if (!root) return std::unexpected(root.error());
        return directories_.mark_prepared(jail->get());
    }
    if (auto made = host_template::make(jail->get(), directories_.path(parameters.id)); !made) return made;
    // The marker below is synced by itself, hundreds of small files before it are not: after a power failure it must
    // not vouch for empty ones. One sync(2) costs less than an fsync(2) of each.
    ::sync();
    return directories_.mark_prepared(jail->get());
}

Result<void> FreeBsdRoots::refresh(const RootParameters& parameters) {
    // Whoever owns a directory above a path root can put another in its place between two starts.
    if (parameters.root.kind == model::RootKind::path) return check(parameters.root, parameters.template_name);
    if (auto checked = etc::check(parameters); !checked) return checked;
    const auto jail = files::open_directory(directories_.path(parameters.id));
    if (!jail) return std::unexpected(jail.error());
    const auto root = host_template::restore_mount_points(jail->get());
    if (!root) return std::unexpected(root.error());
    const auto etc = place::directory(root->get(), "etc", 0755);
    if (!etc) return std::unexpected(etc.error());

    const auto servers = parameters.nameservers.empty() ? host_nameservers() : parameters.nameservers;
    auto done = place::file(etc->get(), "hosts", etc::hosts(parameters), 0644);
    if (done) done = place::file(etc->get(), "resolv.conf", etc::resolv_conf(servers, parameters.search), 0644);
    return done;
}

Result<std::vector<Mount>> FreeBsdRoots::mounts(const RootParameters& parameters) {
    std::vector<Mount> wanted;
    if (parameters.root.kind == model::RootKind::path)
        wanted.push_back({.source = canonical_path_root(parameters.root.path), .target = "root"});
    else
        wanted = host_template::mounts();
    wanted.push_back({.kind = MountKind::devfs,
                      .target = "root/dev",
                      .ruleset = parameters.addresses.empty() ? kJailRuleset : kVnetRuleset});
    wanted.push_back({.kind = MountKind::fdescfs, .target = "root/dev/fd"});
    return wanted;
}

Result<void> FreeBsdRoots::remove(JailId id) {
    return directories_.remove(id, mounts_);
}

}  // namespace jaild::kernel
