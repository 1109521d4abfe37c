#include "core/kernel/freebsd/jails.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/jail.h>

#include <algorithm>
#include <thread>

#include "core/kernel/applied_file.h"
#include "core/kernel/freebsd/devfs_rulesets.h"
#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/mount_api.h"
#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/pure/jail_meta.h"
#include "core/kernel/freebsd/pure/parameter_types.h"
#include "core/kernel/freebsd/system/cpus.h"
#include "core/kernel/freebsd/system/parameter_sysctl.h"

namespace jaild::kernel {
namespace {

using freebsd::Prison;

/// How long a removed jail may take to be gone before it is left to the kernel as "dying": open TCP connections can
/// hold it for a quarter of an hour.
constexpr std::chrono::seconds kDyingPatience{2};
/// What it has mounted itself holds it too, until that is unmounted, which comes next.
constexpr std::chrono::milliseconds kMountedPatience{200};
constexpr std::chrono::milliseconds kPause{10};

Error name_in_use(const std::string& name) {
    return Error{.code = Errc::conflict,
                 .op = "jail_get",
                 .detail = "a jail that is not ours has the name " + name,
                 .reason = "name_in_use",
                 .remedy = "rename or remove the other one: jls -j " + name + " jid path"};
}

/// Every one that is this jail, not only the one that list() shows.
Result<std::vector<Prison>> all_of(const freebsd::Places& places, JailId id) {
    auto all = freebsd::prisons();
    if (!all) return all;
    std::erase_if(*all, [&](const Prison& prison) { return !freebsd::is_ours(places, id, prison); });
    return all;
}

std::chrono::milliseconds patience_with_dying(const freebsd::Places& places, JailId id) {
    const auto mounts = freebsd::mount_api::all();
    const auto beneath = places.root(id).string() + "/";
    const bool datasets = mounts && std::ranges::any_of(*mounts, [&](const freebsd::mount_api::Mounted& one) {
                              return one.type == "zfs" && one.point.starts_with(beneath);
                          });
    return datasets ? kMountedPatience : kDyingPatience;
}

/// What says on this kernel whose jail it is, beside its path; empty where there is no place for it.
Result<std::string> meta_for(const freebsd::Places& places, JailId id) {
    const auto room = freebsd::meta_room();
    if (!room) return std::unexpected(room.error());
    auto meta = freebsd::jail_meta(places.instance, id);
    return meta.size() < *room ? std::move(meta) : std::string();
}

/// Loads the module that brings a parameter, as jail(8) does, where the kernel does not have it yet.
Result<std::optional<freebsd::ParameterType>> type_of(const std::string& name) {
    auto type = freebsd::ask_parameter_type(name);
    if (!type || *type) return type;
    const auto module = freebsd::module_of(name);
    if (module.empty() || !freebsd::load_module(module)) return type;
    return freebsd::ask_parameter_type(name);
}

}  // namespace

Result<std::vector<ObservedJail>> FreeBsdJails::list(Scope scope) {
    const auto ours = freebsd::our_prisons(places_, scope);
    if (!ours) return std::unexpected(ours.error());
    std::vector<ObservedJail> listed;
    for (const auto& [id, prison] : *ours) {
        listed.push_back({.id = id,
                          .name = prison.name,
                          .jid = prison.jid,
                          .alive = !prison.dying,
                          .dying = prison.dying,
                          .hostname = prison.dying ? std::string() : prison.hostname,
                          .vnet = prison.vnet});
    }
    return listed;
}

Result<void> FreeBsdJails::check_name(const model::Name& name, JailId id) {
    const auto there = freebsd::prison_named(name.text());
    if (!there) return std::unexpected(there.error());
    if (*there && !freebsd::is_ours(places_, id, **there)) return std::unexpected(name_in_use(name.text()));
    return {};
}

Result<void> FreeBsdJails::check(const model::JailSpec& spec) {
    if (const auto known = freebsd::to_kernel(spec.parameters, type_of); !known) return std::unexpected(known.error());
    if (!spec.devfs_ruleset) return {};
    auto hides = freebsd::check_ruleset(*spec.devfs_ruleset);
    if (!hides) hides.error().field = "/devfs_ruleset";
    return hides;
}

Result<model::Parameters> FreeBsdJails::parameters(JailId id, const std::vector<std::string>& names) {
    std::vector<std::pair<std::string, freebsd::KnownParameter>> known;
    for (const auto& name : names) {
        auto one = freebsd::known_parameter(name, freebsd::ask_parameter_type);
        if (one) known.emplace_back(name, *std::move(one));
    }
    const auto there = freebsd::our_prison(places_, id);
    if (!there) return std::unexpected(there.error());
    if (!*there) return model::Parameters{};
    return freebsd::get_parameters((*there)->jid, known);
}

Result<void> FreeBsdJails::create(const JailParameters& parameters) {
    const auto there = freebsd::our_prison(places_, parameters.id);
    if (!there) return std::unexpected(there.error());
    if (*there) return {};
    const auto chosen = freebsd::to_kernel(parameters.parameters, type_of);
    if (!chosen) return std::unexpected(chosen.error());
    const auto meta = meta_for(places_, parameters.id);
    if (!meta) return std::unexpected(meta.error());
    const auto made =
        inside_.make(freebsd::creation_parameters(parameters, places_.root(parameters.id), *chosen, *meta));
    if (!made && made.error().reason == "name_in_use") return std::unexpected(name_in_use(parameters.name.text()));
    if (!made) return std::unexpected(made.error());
    if (parameters.cpus.empty()) return {};
    const auto born = freebsd::our_prison(places_, parameters.id);
    if (!born) return std::unexpected(born.error());
    if (!*born)
        return std::unexpected(Error{.code = Errc::kernel,
                                     .op = "cpuset_setaffinity",
                                     .detail = "the jail that was just made is gone",
                                     .reason = "jail_gone"});
    return freebsd::cpus::set((*born)->jid, parameters.cpus);
}

Result<void> FreeBsdJails::update(const JailParameters& parameters) {
    const auto there = freebsd::our_prison(places_, parameters.id);
    if (!there) return std::unexpected(there.error());
    if (!*there)
        return std::unexpected(Error{
            .code = Errc::not_found, .op = "jail_set", .detail = "jail " + parameters.name.text() + " does not run"});
    auto all = freebsd::to_kernel(parameters.parameters, type_of);
    if (!all) return std::unexpected(all.error());
    all->push_back({"jid", (*there)->jid});
    all->push_back({"host.hostname", parameters.hostname});
    const auto set = freebsd::set_jail(*all, JAIL_UPDATE);
    if (!set) return std::unexpected(set.error());
    return {};
}

Result<void> FreeBsdJails::remove(JailId id) {
    const auto begun = std::chrono::steady_clock::now();
    const auto patience = patience_with_dying(places_, id);
    // Judged by a look after the last attempt: jail_remove(2) itself can take long, it ends the network stack.
    for (bool tried = false;; tried = true) {
        const auto left = all_of(places_, id);
        if (!left) return std::unexpected(left.error());
        if (left->empty()) return {};
        const auto waited = std::chrono::steady_clock::now() - begun;
        if (tried && waited >= patience && std::ranges::all_of(*left, &Prison::dying)) return {};
        if (tried && waited >= kDyingPatience)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "jail_remove",
                                         .detail = "processes of jail " + left->front().name + " will not end"});
        for (const auto& prison : *left) {
            // The number may be another jail's by now: name and path are read again right before.
            if (prison.dying || !freebsd::is_still(freebsd::reference(prison))) continue;
            if (auto removed = freebsd::remove_jail(prison.jid); !removed) return removed;
        }
        std::this_thread::sleep_for(kPause);
    }
}

Result<Applied> FreeBsdJails::applied(JailId id) {
    return read_applied(places_.jail(id));
}

Result<void> FreeBsdJails::record(JailId id, const Applied& applied) {
    return write_applied(places_.jail(id), applied);
}

}  // namespace jaild::kernel
