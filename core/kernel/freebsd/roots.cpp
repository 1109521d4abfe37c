#include "core/kernel/freebsd/roots.h"

#include <unistd.h>

#include <array>
#include <set>
#include <string_view>

#include "core/base/files.h"
#include "core/kernel/freebsd/host_template.h"
#include "core/kernel/freebsd/jail_dataset_file.h"
#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "core/kernel/roots/etc_text.h"
#include "core/kernel/roots/hosts_file.h"
#include "core/kernel/roots/path_root.h"
#include "core/kernel/roots/place.h"
#include "core/kernel/roots/root_storage.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::kernel {

namespace {

namespace host_template = freebsd::host_template;

constexpr std::array<std::string_view, 1> kMountPoints{"dev"};
constexpr std::size_t kResolvConfLimit = 1 << 16;
constexpr const char* kNoStorage =
    "configure zfs_parent and make the jail anew, or use the quota of the file system that it is in";

Error cannot_clone(std::string detail) {
    return {.code = Errc::unsupported,
            .op = "validate",
            .detail = std::move(detail),
            .reason = "template_not_clonable",
            .field = "/root/kind",
            .remedy = "use \"copy\" or \"thin\", or import the template again: with zfs_parent it becomes a dataset"};
}

Mount root_on(const std::string& dataset) {
    return {.kind = MountKind::zfs, .source = dataset, .target = "root"};
}

/// The host's own that a jail can reach.
std::vector<IpAddress> host_nameservers() {
    const auto text = files::read("/etc/resolv.conf", kResolvConfLimit);
    return text ? etc::reachable_nameservers(*text) : std::vector<IpAddress>{};
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

Result<std::optional<std::string>> FreeBsdRoots::dataset(JailId id) const {
    return freebsd::dataset_in(directories_.path(id));
}

/// The name is written down before there is such a dataset: none is ever forgotten.
Result<void> FreeBsdRoots::make_dataset(int jail, const RootParameters& parameters) {
    const auto id = parameters.id;
    std::optional<std::string> source;
    if (parameters.root.kind == model::RootKind::clone) {
        auto found = clone_source(parameters.base.value_or(model::JailBase{}).id);
        if (!found) return std::unexpected(found.error());
        source = *std::move(found);
    }
    if (auto written = freebsd::write_dataset(jail, datasets_.name(id)); !written) return written;
    const auto made = source ? datasets_.clone(id, *source) : datasets_.ensure(id);
    if (!made || parameters.root.storage == model::Storage{}) return made;
    return freebsd::Datasets::set_storage(datasets_.name(id), parameters.root.storage);
}

Result<void> FreeBsdRoots::mount_template(const RootParameters& parameters) {
    const bool shared = parameters.base && parameters.root.kind == model::RootKind::thin;
    return shared ? templates_->ensure_mounted(parameters.base->id) : Result<void>{};
}

Result<void> FreeBsdRoots::mount_dataset(JailId id) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    return *name ? mounts_.mount(id, root_on(**name)) : Result<void>{};
}

Result<std::vector<JailId>> FreeBsdRoots::list() {
    auto with_directory = directories_.list();
    if (!with_directory) return with_directory;
    std::set<JailId> all(with_directory->begin(), with_directory->end());
    // A pool that is away must not keep the other jails from being looked after; doctor names it.
    if (const auto with_dataset = datasets_.jails()) all.insert(with_dataset->begin(), with_dataset->end());
    return std::vector<JailId>(all.begin(), all.end());
}

Result<bool> FreeBsdRoots::prepared(JailId id) {
    return directories_.prepared(id);
}

Result<void> FreeBsdRoots::check(const model::RootSpec& root, const std::string& template_name) {
    const bool datasets = datasets_.configured() && root.kind != model::RootKind::path;
    if (auto possible =
            kernel::check_storage(root.storage, datasets ? RootOnDataset::yes : RootOnDataset::no, kNoStorage);
        !possible)
        return possible;
    if (root.kind == model::RootKind::path) return check_path_root(root.path, directories_.state(), kMountPoints);
    return template_root::check(
        root, template_name,
        datasets_.configured() ? template_root::Clones::possible : template_root::Clones::impossible);
}

Result<void> FreeBsdRoots::check_storage(JailId id, const model::Storage& storage) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    const auto made = prepared(id);
    if (!made) return std::unexpected(made.error());
    const bool possible = *made ? name->has_value() : datasets_.configured();
    return kernel::check_storage(storage, possible ? RootOnDataset::yes : RootOnDataset::no, kNoStorage);
}

Result<std::vector<ObservedStorage>> FreeBsdRoots::storage(const std::vector<JailId>& jails) {
    std::vector<ObservedStorage> all;
    std::vector<std::string> names;
    for (const auto id : jails) {
        all.push_back({.id = id});
        const auto name = dataset(id);
        if (!name) return std::unexpected(name.error());
        names.push_back(name->value_or(std::string()));
    }
    auto asked = names;
    std::erase(asked, std::string());
    const auto found = freebsd::Datasets::storage(asked);
    if (!found) return all;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto one = found->find(names[i]);
        if (one == found->end()) continue;
        all[i].known = true;
        all[i].storage = one->second;
    }
    return all;
}

Result<void> FreeBsdRoots::set_storage(JailId id, const model::Storage& storage) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    if (*name) return freebsd::Datasets::set_storage(**name, storage);
    return kernel::check_storage(storage, RootOnDataset::no, kNoStorage);
}

Result<std::string> FreeBsdRoots::clone_source(TemplateId of) const {
    auto name = templates_->dataset(of);
    if (!name) return std::unexpected(name.error());
    if (!*name)
        return std::unexpected(
            cannot_clone("a clone is made of a dataset, and this template was imported into a directory"));
    const auto from = freebsd::zfs::pool_of(**name);
    const auto to = freebsd::zfs::pool_of(datasets_.parent());
    if (from == to) return **std::move(name);
    return std::unexpected(cannot_clone("the template is in pool " + std::string(from) + ", and new jails are in " +
                                        std::string(to) + ": a clone stays in its pool"));
}

Result<void> FreeBsdRoots::check_clone(TemplateId of) const {
    const auto source = clone_source(of);
    return source ? Result<void>{} : std::unexpected(source.error());
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
    const auto root = place::directory(jail->get(), "root", 0755);
    if (!root) return std::unexpected(root.error());
    if (datasets_.configured()) {
        if (auto made = make_dataset(jail->get(), parameters); !made) return made;
    }
    if (auto mounted = mount_dataset(parameters.id); !mounted) return mounted;
    if (parameters.template_name != "host") return prepare_from_template(jail->get(), parameters);
    if (auto made = host_template::make(jail->get(), directories_.path(parameters.id)); !made) return made;
    // The marker below is synced by itself, hundreds of small files before it are not: after a power failure it must
    // not vouch for empty ones. One sync(2) costs less than an fsync(2) of each.
    ::sync();
    return directories_.mark_prepared(jail->get());
}

Result<void> FreeBsdRoots::prepare_from_template(int jail, const RootParameters& parameters) {
    // What has its mark holds what the jail made of it.
    const auto finished = directories_.prepared(parameters.id);
    if (!finished) return std::unexpected(finished.error());
    if (*finished) return {};
    const auto root = place::directory(jail, "root", 0755);  // with its dataset mounted
    if (!root) return std::unexpected(root.error());
    if (parameters.root.kind != model::RootKind::clone) {
        const auto base = parameters.base.value_or(model::JailBase{}).id;
        if (auto mounted = templates_->ensure_mounted(base); !mounted) return mounted;
        if (auto made = template_root::make(root->get(), directories_.state(), parameters); !made) return made;
    }
    return directories_.mark_prepared(jail);
}

/// The open root, with everything that a mount stands on.
Result<UniqueFd> FreeBsdRoots::restore(int jail, const RootParameters& parameters) {
    if (parameters.template_name == "host") return host_template::restore_mount_points(jail);
    if (auto mounted = mount_template(parameters); !mounted) return std::unexpected(mounted.error());
    auto root = place::directory(jail, "root", 0755);
    if (!root) return root;
    const auto restored =
        template_root::restore_mount_points(root->get(), directories_.state(), parameters, kMountPoints);
    if (!restored) return std::unexpected(restored.error());
    return root;
}

Result<void> FreeBsdRoots::refresh(const RootParameters& parameters) {
    // Whoever owns a directory above a path root can put another in its place between two starts.
    if (parameters.root.kind == model::RootKind::path) return check(parameters.root, parameters.template_name);
    if (auto checked = etc::check(parameters); !checked) return checked;
    const auto jail = files::open_directory(directories_.path(parameters.id));
    if (!jail) return std::unexpected(jail.error());
    if (auto mounted = mount_dataset(parameters.id); !mounted) return mounted;
    const auto root = restore(jail->get(), parameters);
    if (!root) return std::unexpected(root.error());
    const auto etc = place::directory(root->get(), "etc", 0755);
    if (!etc) return std::unexpected(etc.error());

    auto done = hosts_file::write(etc->get(), parameters);
    if (done) done = place::file(etc->get(), "resolv.conf", resolv_conf(parameters), 0644);
    return done;
}

Result<void> FreeBsdRoots::write_hosts(const RootParameters& parameters) {
    if (parameters.root.kind == model::RootKind::path) return {};
    if (auto checked = etc::check(parameters); !checked) return checked;
    const auto root = files::open_directory(directories_.path(parameters.id) / "root");
    if (!root) return std::unexpected(root.error());
    return hosts_file::write_beneath(root->get(), parameters);
}

Result<std::vector<Mount>> FreeBsdRoots::mounts(const RootParameters& parameters) {
    std::vector<Mount> wanted;
    if (parameters.root.kind == model::RootKind::path) {
        wanted.push_back({.source = canonical_path_root(parameters.root.path), .target = "root"});
    } else {
        const auto name = dataset(parameters.id);
        if (!name) return std::unexpected(name.error());
        if (*name) wanted.push_back(root_on(**name));
        if (auto there = mount_template(parameters); !there) return std::unexpected(there.error());
        auto shared = parameters.template_name == "host" ? Result<std::vector<Mount>>(host_template::mounts())
                                                         : template_root::mounts(directories_.state(), parameters);
        if (!shared) return shared;
        for (auto& mount : *shared) wanted.push_back(std::move(mount));
    }
    const auto chosen =
        parameters.bpf ? parameters.devfs_ruleset.value_or(freebsd::kRulesetWithBpf) : parameters.devfs_ruleset;
    wanted.push_back({.kind = MountKind::devfs,
                      .target = "root/dev",
                      .ruleset = freebsd::devfs_ruleset(chosen, parameters.mode),
                      .devices = parameters.devices});
    wanted.push_back({.kind = MountKind::fdescfs, .target = "root/dev/fd"});
    return wanted;
}

Result<void> FreeBsdRoots::remove(JailId id) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    // zfs(8) refuses while it is mounted; then the directory does, too.
    const auto destroyed = *name ? datasets_.destroy(id, **name) : datasets_.destroy(id);
    if (!destroyed) return destroyed;
    return directories_.remove(id, mounts_);
}

}  // namespace jaild::kernel
