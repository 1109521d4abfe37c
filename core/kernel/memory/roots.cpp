#include "core/kernel/roots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"
#include "core/kernel/roots/root_storage.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::kernel::memory {
namespace {

/// The model has no file system: whatever begins so does not exist, everything else does.
constexpr std::string_view kMissing = "/missing";

constexpr const char* kNoStorage = "configure zfs_parent";

std::string generated_files(const RootParameters& parameters) {
    std::string text = "hostname " + parameters.hostname;
    for (const auto& address : parameters.addresses) text += "; address " + address.to_string();
    if (parameters.mode == model::NetworkMode::inherit) text += "; network of the host";
    for (const auto& server : parameters.nameservers) text += "; nameserver " + server.to_string();
    for (const auto& domain : parameters.search) text += "; search " + domain;
    return text;
}

std::vector<HostEntry> generated_hosts(const RootParameters& parameters) {
    return parameters.root.kind == model::RootKind::path ? std::vector<HostEntry>{} : parameters.neighbours;
}

}  // namespace

/// Fewer than a real driver has, so that a simulation has few points to strike at; of each sort one.
std::vector<Mount> mounts_for(const model::RootSpec& root) {
    std::vector<Mount> mounts;
    if (root.kind == model::RootKind::path) {
        mounts.push_back({.kind = MountKind::bind, .source = root.path, .target = "root"});
    } else {
        if (root.kind == model::RootKind::thin)
            mounts.push_back({.kind = MountKind::bind, .source = "/usr", .target = "root/usr", .read_only = true});
        mounts.push_back({.kind = MountKind::tmpfs, .source = {}, .target = "root/tmp", .no_suid = true});
    }
    mounts.push_back({.kind = MountKind::devfs, .source = {}, .target = "root/dev", .ruleset = 5});
    return mounts;
}

Result<std::vector<JailId>> MemoryRoots::list() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.list"); !met) return std::unexpected(met.error());
    std::vector<JailId> ids;
    for (const auto& [id, directory] : world_.state.directories) ids.push_back(id);
    return ids;
}

Result<bool> MemoryRoots::prepared(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.prepared"); !met) return std::unexpected(met.error());
    auto* held = world_.directory(id);
    return held && held->prepared;
}

Result<void> MemoryRoots::check(const model::RootSpec& root, const std::string& template_name) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.check"); !met) return met;
    const bool datasets = has_datasets() && root.kind != model::RootKind::path;
    if (auto possible =
            kernel::check_storage(root.storage, datasets ? RootOnDataset::yes : RootOnDataset::no, kNoStorage);
        !possible)
        return possible;
    if (root.kind != model::RootKind::path)
        return template_root::check(root, template_name,
                                    datasets ? template_root::Clones::possible : template_root::Clones::impossible);
    const std::filesystem::path path(root.path);
    const auto& state = world_.driver.state_directory;
    const auto [path_rest, state_rest] = std::ranges::mismatch(path, state);
    if (path == "/" || path_rest == path.end() || state_rest == state.end()) {
        return std::unexpected(Error::invalid("root_path_forbidden", "/root/path",
                                              root.path + " is /, or holds the state directory, or is in it"));
    }
    if (root.path.starts_with(kMissing)) {
        return std::unexpected(Error::invalid("root_path_missing", "/root/path", root.path + " is no directory"));
    }
    return {};
}

bool MemoryRoots::has_datasets() const {
    return !world_.driver.zfs_parent.empty();
}

Result<void> MemoryRoots::check_storage(JailId, const model::Storage& storage) {
    std::lock_guard lock(world_.mutex);
    return kernel::check_storage(storage, has_datasets() ? RootOnDataset::yes : RootOnDataset::no, kNoStorage);
}

Result<std::vector<ObservedStorage>> MemoryRoots::storage(const std::vector<JailId>& jails) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.storage"); !met) return std::unexpected(met.error());
    std::vector<ObservedStorage> all;
    for (const auto id : jails) {
        const auto* held = world_.directory(id);
        const bool known = has_datasets() && held && held->prepared && held->root.kind != model::RootKind::path;
        all.push_back({.id = id, .known = known, .storage = known ? held->root.storage : model::Storage{}});
    }
    return all;
}

Result<void> MemoryRoots::set_storage(JailId id, const model::Storage& storage) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("roots.set_storage", [&]() -> Result<void> {
        auto* held = world_.directory(id);
        if (!has_datasets() || !held || !held->prepared) {
            world_.violate(fmt::format("the root of jail {} is given storage before it is prepared", id.value));
            return std::unexpected(Error::from_errno("zfs", ENOENT, "root"));
        }
        held->root.storage = storage;
        return {};
    });
}

/// The template is there, or none is needed.
Result<void> MemoryRoots::find_template(const RootParameters& parameters) {
    if (parameters.root.kind == model::RootKind::path || parameters.template_name == "host") return {};
    if (parameters.base && !world_.state.lost_templates.contains(parameters.base->id)) return {};
    if (!parameters.base)
        world_.violate(fmt::format("the root of jail {} is to be made from nothing", parameters.id.value));
    return std::unexpected(Error{.code = Errc::not_found,
                                 .op = "template_root",
                                 .detail = "the tree of template " + parameters.template_name + " is not there",
                                 .reason = "template_missing"});
}

Result<void> MemoryRoots::prepare(const RootParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    auto& faults = world_.faults;
    auto& directories = world_.state.directories;
    const auto id = parameters.id;
    if (auto met = faults.at("roots.prepare"); !met) return met;
    if (auto found = find_template(parameters); !found) return found;
    const bool imported = parameters.base.has_value();
    // What the jail made of it is not copied over.
    if (imported && directories.contains(id) && directories[id].prepared) return {};
    auto made = faults.step("roots.prepare.tree", [&]() -> Result<void> {
        auto& held = directories[id];
        held.tree = true;
        held.root = parameters.root;
        if (imported) held.etc = false;  // what is half copied goes first
        return {};
    });
    if (!made) return made;
    if (parameters.root.kind != model::RootKind::path) {
        auto written = faults.step(imported ? "roots.prepare.copy" : "roots.prepare.etc", [&]() -> Result<void> {
            directories[id].etc = true;
            return {};
        });
        if (!written) return written;
    }
    return faults.step("roots.prepare.finish", [&]() -> Result<void> {
        directories[id].prepared = true;
        return {};
    });
}

Result<void> MemoryRoots::refresh(const RootParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("roots.refresh", [&]() -> Result<void> {
        auto* held = world_.directory(parameters.id);
        if (!held || !held->prepared) {
            world_.violate(fmt::format("the root of jail {} is refreshed before it is prepared", parameters.id.value));
            return std::unexpected(Error::from_errno("openat", ENOENT, "etc"));
        }
        if (parameters.root.kind != model::RootKind::path) held->generated = generated_files(parameters);
        held->neighbours = generated_hosts(parameters);
        return {};
    });
}

Result<void> MemoryRoots::write_hosts(const RootParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("roots.write_hosts", [&]() -> Result<void> {
        auto* held = world_.directory(parameters.id);
        if (!held || !held->prepared) return std::unexpected(Error::from_errno("openat", ENOENT, "etc"));
        held->neighbours = generated_hosts(parameters);
        return {};
    });
}

Result<std::vector<Mount>> MemoryRoots::mounts(const RootParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.mounts"); !met) return std::unexpected(met.error());
    if (parameters.root.kind == model::RootKind::thin)
        if (auto found = find_template(parameters); !found) return std::unexpected(found.error());
    auto mounts = mounts_for(parameters.root);
    mounts.back().devices = parameters.devices;
    if (parameters.devfs_ruleset) mounts.back().ruleset = *parameters.devfs_ruleset;
    return mounts;
}

Result<void> MemoryRoots::remove(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("roots.remove"); !met) return met;
    auto* held = world_.directory(id);
    if (!held) return {};
    // A dying jail has no processes any more: its root may go.
    if (world_.prison(id)) world_.violate(fmt::format("the root of jail {} is deleted while it is there", id.value));
    if (!held->hooks_begun.empty()) world_.violate(fmt::format("poststop of jail {} is forgotten", id.value));
    if (held->shim.alive) world_.violate(fmt::format("the shim of jail {} loses its directory", id.value));
    if (world_.any_mount(id)) {
        world_.violate(fmt::format("the root of jail {} is deleted beneath a mount", id.value));
        return std::unexpected(Error::from_errno("unlinkat", EBUSY, "something is mounted beneath"));
    }
    auto emptied = world_.faults.step("roots.remove.tree", [&]() -> Result<void> {
        held->prepared = false;
        held->etc = false;
        return {};
    });
    if (!emptied) return emptied;
    return world_.faults.step("roots.remove.directory", [&]() -> Result<void> {
        world_.state.directories.erase(id);
        return {};
    });
}

}  // namespace jaild::kernel::memory
