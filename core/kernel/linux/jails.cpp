#include "core/kernel/linux/jails.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/kernel/applied_file.h"
#include "core/kernel/linux/apparmor.h"
#include "core/kernel/linux/devices.h"
#include "core/kernel/linux/disk_beneath.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/oci_config.h"
#include "core/kernel/linux/uts.h"

namespace jaild::kernel {

namespace {

constexpr std::chrono::seconds kRemovalDeadline{20};

/// The runtime would make a missing mount point, or follow a link that an earlier incarnation of the jail left there.
Result<void> check_mount_points(const std::filesystem::path& root) {
    const auto held = files::open_directory(root);
    if (!held) return std::unexpected(held.error());
    for (const char* point : {"proc", "dev", "sys"}) {
        const auto found = files::open_beneath(held->get(), point, O_PATH | O_DIRECTORY);
        if (found) continue;
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "openat",
                                     .sys = found.error().sys,
                                     .detail = "/" + std::string(point) + " in the jail's root is no directory",
                                     .reason = "root_incomplete",
                                     .remedy = "make it one: mkdir " + (root / point).string()});
    }
    return {};
}

std::unexpected<Error> only_freebsd(std::string field, std::string detail, std::string remedy) {
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "validate",
                                 .detail = std::move(detail),
                                 .reason = "unsupported_parameter",
                                 .field = std::move(field),
                                 .remedy = std::move(remedy)});
}

}  // namespace

Result<std::vector<JailId>> LinuxJails::remains(Scope scope) const {
    std::vector<JailId> ids;
    if (scope) {
        std::error_code failed;
        const std::string space = netns::path(layout_.container(*scope));
        const bool named = std::filesystem::exists(space, failed);
        if (failed) return std::unexpected(Error::from_errno("stat", failed.value(), space));
        const auto grouped = cgroups::exists(hierarchies_, layout_.instance, *scope);
        if (!grouped) return std::unexpected(grouped.error());
        if (named || *grouped) ids.push_back(*scope);
        return ids;
    }
    const auto names = netns::list();
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
        if (const auto id = parse_container_name(layout_.instance, name)) ids.push_back(*id);
    }
    const auto groups = cgroups::list(hierarchies_, layout_.instance);
    if (!groups) return std::unexpected(groups.error());
    ids.insert(ids.end(), groups->begin(), groups->end());
    return ids;
}

Result<std::vector<ObservedJail>> LinuxJails::list(Scope scope) {
    std::vector<Container> containers;
    if (scope) {
        const auto container = runtime_.find(*scope);
        if (!container) return std::unexpected(container.error());
        if (*container) containers.push_back(**container);
    } else {
        auto all = runtime_.list();
        if (!all) return std::unexpected(all.error());
        containers = *std::move(all);
    }
    std::map<JailId, ObservedJail> seen;
    std::vector<ProcessIdentity> processes;
    for (const Container& container : containers) {
        ObservedJail& jail = seen[container.id];
        jail.id = container.id;
        jail.name = layout_.container(container.id);
        jail.pid = container.process ? container.first.pid : 0;
        jail.alive = container.alive;
        jail.vnet = !container.alive || !netns::is_shared_with(container.first.pid);
        processes.push_back(container.alive ? container.first : ProcessIdentity{});
    }
    const auto names = uts::hostnames(processes);
    if (!names) return std::unexpected(names.error());
    for (std::size_t at = 0; at < containers.size(); ++at) {
        ObservedJail& jail = seen[containers[at].id];
        jail.alive = (*names)[at].has_value();  // it may have ended since the runtime was asked
        jail.hostname = (*names)[at].value_or("");
    }

    const auto left = remains(scope);
    if (!left) return std::unexpected(left.error());
    for (const JailId id : *left) {
        ObservedJail& jail = seen[id];
        jail.id = id;
        jail.name = layout_.container(id);
    }

    std::vector<ObservedJail> listed;
    listed.reserve(seen.size());
    for (auto& [id, jail] : seen) listed.push_back(std::move(jail));
    return listed;
}

Result<void> LinuxJails::check_name(const model::Name&, JailId) {
    return {};  // no registry of names: containers are named after the instance and the id
}

Result<void> LinuxJails::check(const model::JailSpec& spec) {
    if (spec.devfs_ruleset)
        return only_freebsd("/devfs_ruleset",
                            "Linux has no devfs(8) rulesets: a jail's /dev holds the same few devices always",
                            "leave devfs_ruleset out");
    if (auto there = check_devices("/dev", spec.devices); !there) return there;
    if (spec.parameters.empty()) return {};
    const auto& name = spec.parameters.begin()->first;
    return only_freebsd(
        "/parameters/" + name,
        name +
            " is a parameter of FreeBSD's jail(8): Linux has namespaces, capabilities and seccomp instead, "
            "which are the same for every jail",
        "leave parameters out");
}

Result<model::Parameters> LinuxJails::parameters(JailId, const std::vector<std::string>&) {
    return model::Parameters{};
}

Result<void> LinuxJails::write_bundle(const JailParameters& parameters) const {
    const auto jail = files::open_directory(layout_.jail(parameters.id));
    if (!jail) return std::unexpected(jail.error());
    const auto bundle = files::make_directories(jail->get(), "bundle", 0700);
    if (!bundle) return std::unexpected(bundle.error());
    // Text that is no UTF-8 must not throw here; the runtime finds no such path or name then.
    const auto devices = find_devices("/dev", parameters.devices);
    if (!devices) return std::unexpected(devices.error());
    std::optional<cgroups::DiskId> disk;
    if (cgroups::any_of_disk(parameters.limits)) {
        auto found = cgroups::disk_beneath(layout_.root(parameters.id));
        if (!found) return std::unexpected(found.error());
        disk = *found;
    }
    const auto config = oci_config(layout_, parameters, apparmor::ensure_profile(), *devices, disk)
                            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files::write_atomic(bundle->get(), "config.json", config, 0600);
}

Result<void> LinuxJails::create(const JailParameters& parameters) {
    const JailId id = parameters.id;
    auto there = runtime_.find(id);
    if (!there) return std::unexpected(there.error());
    if (*there && (*there)->alive) return {};
    if (auto removed = remove_container(id); !removed) return removed;
    if (auto points = check_mount_points(layout_.root(id)); !points) return points;
    if (parameters.mode != model::NetworkMode::inherit)
        if (auto made = netns::create(layout_.container(id)); !made) return made;
    if (auto written = write_bundle(parameters); !written) return written;

    const std::shared_lock parents(parents_);
    if (auto started = runtime_.start(id); !started) return started;
    there = runtime_.find(id);
    if (!there) return std::unexpected(there.error());
    if (*there && (*there)->alive) return {};
    return std::unexpected(Error{.code = Errc::kernel,
                                 .op = "runc run",
                                 .detail = "container " + layout_.container(id) + " ended as soon as it was started",
                                 .reason = "runtime_failed"});
}

Result<void> LinuxJails::update(const JailParameters& parameters) {
    const auto there = runtime_.find(parameters.id);
    if (!there) return std::unexpected(there.error());
    if (!*there || !(*there)->alive)
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "sethostname",
                                     .detail = "jail " + parameters.name.text() + " does not run"});
    return uts::set_hostname((*there)->first, parameters.hostname);
}

Result<void> LinuxJails::remove_container(JailId id) {
    const Deadline deadline = std::chrono::steady_clock::now() + kRemovalDeadline;
    if (auto removed = runtime_.remove(id, deadline); !removed) return removed;
    return cgroups::remove(hierarchies_, layout_.instance, id, deadline);
}

Result<void> LinuxJails::remove(JailId id) {
    if (auto removed = remove_container(id); !removed) return removed;
    if (auto removed = netns::remove(layout_.container(id)); !removed) return removed;
    if (const auto jail = files::open_directory(layout_.jail(id))) {
        if (auto removed = files::remove_tree(jail->get(), "bundle"); !removed) return removed;
    }
    remove_empty_parents();
    return {};
}

Result<Applied> LinuxJails::applied(JailId id) {
    return read_applied(layout_.jail(id));
}

Result<void> LinuxJails::record(JailId id, const Applied& applied) {
    return write_applied(layout_.jail(id), applied);
}

void LinuxJails::remove_empty_parents() {
    // Only a courtesy: whoever comes last does it, and a jail that is being made right now needs them.
    const std::unique_lock parents(parents_, std::try_to_lock);
    if (!parents) return;
    cgroups::remove_empty_parents(hierarchies_, layout_.instance);
    if (::rmdir(layout_.runtime_root().c_str()) != 0) return;
    ::rmdir(layout_.dhcp().c_str());
    ::rmdir(layout_.run().c_str());
}

}  // namespace jaild::kernel
