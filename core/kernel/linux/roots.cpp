#include "core/kernel/linux/roots.h"

#include <array>
#include <string_view>

#include "core/base/files.h"
#include "core/kernel/linux/etc_files.h"
#include "core/kernel/linux/host_template.h"
#include "core/kernel/roots/etc_text.h"
#include "core/kernel/roots/hosts_file.h"
#include "core/kernel/roots/path_root.h"
#include "core/kernel/roots/place.h"
#include "core/kernel/roots/root_storage.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::kernel {

namespace {

/// What the runtime mounts in every root.
constexpr std::array<std::string_view, 3> kMountPoints{"proc", "dev", "sys"};
constexpr const char* kNoStorage = "leave it out; quotas and compression of roots need FreeBSD with ZFS";
constexpr std::size_t kResolvConfLimit = 1 << 16;

/// The host's own that a jail can reach. systemd-resolved(8) shows programs only itself, on loopback; the servers
/// behind it stand in a file of its own.
std::vector<IpAddress> host_nameservers() {
    for (const char* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
        const auto text = files::read(path, kResolvConfLimit);
        if (!text) continue;
        auto found = etc::reachable_nameservers(*text);
        if (!found.empty()) return found;
    }
    return {};
}

std::string resolv_conf(const RootParameters& parameters) {
    if (parameters.mode == model::NetworkMode::inherit) {
        const auto host = files::read("/etc/resolv.conf", kResolvConfLimit);
        return etc::shared_resolv_conf(host ? *host : std::string(), parameters.nameservers, parameters.search);
    }
    const auto servers = parameters.nameservers.empty() ? host_nameservers() : parameters.nameservers;
    return etc::resolv_conf(servers, parameters.search);
}

}  // namespace

Result<std::vector<JailId>> LinuxRoots::list() {
    return directories_.list();
}

Result<bool> LinuxRoots::prepared(JailId id) {
    return directories_.prepared(id);
}

Result<void> LinuxRoots::check(const model::RootSpec& root, const std::string& template_name) {
    if (auto possible = kernel::check_storage(root.storage, RootOnDataset::no, kNoStorage); !possible) return possible;
    if (root.kind == model::RootKind::path) return check_path_root(root.path, layout_.state, kMountPoints);
    return template_root::check(root, template_name, template_root::Clones::impossible);
}

Result<void> LinuxRoots::check_storage(JailId, const model::Storage& storage) {
    return kernel::check_storage(storage, RootOnDataset::no, kNoStorage);
}

Result<std::vector<ObservedStorage>> LinuxRoots::storage(const std::vector<JailId>& jails) {
    std::vector<ObservedStorage> all;
    for (const auto id : jails) all.push_back({.id = id});
    return all;
}

Result<void> LinuxRoots::prepare(const RootParameters& parameters) {
    if (auto checked = check(parameters.root, parameters.template_name); !checked) return checked;
    const auto jail = directories_.make(parameters.id);
    if (!jail) return std::unexpected(jail.error());
    if (parameters.root.kind == model::RootKind::path) {
        const auto root = place::directory(jail->get(), "root", 0700);  // only a mount point
        if (!root) return std::unexpected(root.error());
    } else if (parameters.template_name == "host") {
        if (auto made = host_template::make(jail->get()); !made) return made;
    } else {
        // What has its mark holds what the jail made of it.
        const auto finished = directories_.prepared(parameters.id);
        if (!finished) return std::unexpected(finished.error());
        if (*finished) return {};
        const auto root = place::directory(jail->get(), "root", 0755);
        if (!root) return std::unexpected(root.error());
        if (auto made = template_root::make(root->get(), layout_.state, parameters); !made) return made;
    }
    return directories_.mark_prepared(jail->get());
}

/// The open root, with everything that a mount stands on.
Result<UniqueFd> LinuxRoots::restore(int jail, const RootParameters& parameters) {
    if (parameters.template_name == "host") {
        if (auto refreshed = shared_.refresh(); !refreshed) return std::unexpected(refreshed.error());
        return host_template::restore_mount_points(jail);
    }
    auto root = place::directory(jail, "root", 0755);
    if (!root) return root;
    const auto restored = template_root::restore_mount_points(root->get(), layout_.state, parameters, kMountPoints);
    if (!restored) return std::unexpected(restored.error());
    return root;
}

Result<void> LinuxRoots::refresh(const RootParameters& parameters) {
    // Whoever owns a directory above a path root can put another in its place between two starts.
    if (parameters.root.kind == model::RootKind::path) return check(parameters.root, parameters.template_name);
    if (auto checked = etc::check(parameters); !checked) return checked;
    const auto jail = files::open_directory(layout_.jail(parameters.id));
    if (!jail) return std::unexpected(jail.error());
    const auto root = restore(jail->get(), parameters);
    if (!root) return std::unexpected(root.error());
    const auto etc = place::directory(root->get(), "etc", 0755);
    if (!etc) return std::unexpected(etc.error());

    auto done = hosts_file::write(etc->get(), parameters);
    if (done) done = place::file(etc->get(), "hostname", etc::hostname(parameters), 0644);
    if (done) done = place::file(etc->get(), "resolv.conf", resolv_conf(parameters), 0644);
    return done;
}

Result<void> LinuxRoots::write_hosts(const RootParameters& parameters) {
    if (parameters.root.kind == model::RootKind::path) return {};
    if (auto checked = etc::check(parameters); !checked) return checked;
    const auto root = files::open_directory(layout_.root(parameters.id));
    if (!root) return std::unexpected(root.error());
    return hosts_file::write_beneath(root->get(), parameters);
}

Result<std::vector<Mount>> LinuxRoots::mounts(const RootParameters& parameters) {
    if (parameters.root.kind == model::RootKind::path)
        return std::vector<Mount>{{.source = canonical_path_root(parameters.root.path), .target = "root"}};
    if (parameters.template_name == "host") return host_template::mounts(layout_, parameters.id);
    auto shared = template_root::mounts(layout_.state, parameters);
    if (!shared) return shared;
    // As with template `host`.
    for (Mount& mount : *shared) mount.no_suid = true;
    shared->insert(shared->begin(), {.source = layout_.root(parameters.id), .target = "root"});
    return shared;
}

Result<void> LinuxRoots::remove(JailId id) {
    return directories_.remove(id, mounts_);
}

}  // namespace jaild::kernel
