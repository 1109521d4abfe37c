#include "core/kernel/linux/limits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/linux/disk_beneath.h"
#include "core/kernel/linux/file_limits.h"
#include "core/kernel/linux/pure/cgroup_texts.h"
#include "core/kernel/linux/pure/limit_knobs.h"
#include "core/kernel/names.h"

namespace jaild::kernel {
namespace {

namespace fs = std::filesystem;
using cgroups::Knob;
using cgroups::Version;

constexpr std::size_t kFileLimit = 65536;

/// Where a controller's groups are.
struct Place {
    Version version = Version::v1;
    fs::path hierarchy;
};

/// `word`: of cgroup.controllers.
std::optional<Place> place_in(const std::optional<fs::path>& v1, std::string_view word,
                              const cgroups::Controllers& all) {
    if (v1) return Place{.version = Version::v1, .hierarchy = *v1};
    if (!all.unified) return std::nullopt;
    const auto words = files::read(*all.unified / "cgroup.controllers", kFileLimit);
    if (!words || !cgroups::has_word(*words, word)) return std::nullopt;
    return Place{.version = Version::v2, .hierarchy = *all.unified};
}

std::optional<Place> place_of(const Knob& knob, const cgroups::Controllers& all) {
    const auto& v1 = knob.controller == "memory"  ? all.memory
                     : knob.controller == "pids"  ? all.pids
                     : knob.controller == "blkio" ? all.blkio
                                                  : all.cpu;
    return place_in(v1, knob.v2_controller(), all);
}

std::optional<Place> place_of_cpus(const cgroups::Controllers& all) {
    return place_in(all.cpuset, "cpuset", all);
}

/// Nothing: there is no such group.
Result<std::optional<std::string>> read_knob(const fs::path& file) {
    auto text = files::read(file, kFileLimit);
    if (text) return std::optional(*std::move(text));
    if (text.error().code == Errc::not_found || text.error().sys == ENODEV) return std::nullopt;
    return std::unexpected(text.error());
}

/// Whether a group that lacks the file is to be limited by it, or to be let free.
enum class Wanted { yes, no };

/// A jail without a group has nothing to be limited.
Result<void> write_knob(const fs::path& file, const std::string& text, Wanted wanted) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) {
        if (wanted == Wanted::no || ::access(file.parent_path().c_str(), F_OK) != 0) return {};
        // Version 2, where a group above does not hand the controller down (cgroup.subtree_control).
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "limits",
                                     .sys = ENOENT,
                                     .detail = file.string() + " is not there: this group was not given its controller",
                                     .reason = "limits_unsupported",
                                     .remedy = "restart the jail, which makes the group anew"});
    }
    if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
    return std::unexpected(Error::from_errno("write", errno, fmt::format("{} to {}", text, file.string())));
}

/// Version 1 refuses to go below what is in use, version 2 kills for it.
Result<void> write_amount(const fs::path& file, const std::string& text, Wanted wanted) {
    auto written = write_knob(file, text, wanted);
    if (!written && written.error().sys == EBUSY)
        written.error().remedy = "the jail uses more than that: stop something there, or restart it";
    return written;
}

/// Processes that the kernel killed, or did not let begin, for want of what was left.
void count_breaches(const fs::path& group, const Knob& knob, Version version, ObservedLimits& into) {
    const bool memory = knob.resource == "memoryuse";
    if (!memory && knob.resource != "maxproc") return;
    const auto* file = !memory ? "pids.events" : version == Version::v1 ? "memory.oom_control" : "memory.events";
    const auto text = files::read(group / file, kFileLimit);
    const auto count = text ? cgroups::value_of(*text, memory ? "oom_kill" : "max") : std::nullopt;
    if (count && *count > 0) into.breaches[std::string(knob.resource)] = *count;
}

constexpr const char* kCpus = "cpuset.cpus";

std::string without_newline(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

/// Processors that this host gives: those of the hierarchy's root.
Result<std::string> all_cpus(const Place& place) {
    const auto* file = place.version == Version::v1 ? kCpus : "cpuset.cpus.effective";
    auto text = files::read(place.hierarchy / file, kFileLimit);
    if (!text) return std::unexpected(text.error());
    return without_newline(*std::move(text));
}

/// As ObservedLimits::cpus, of a jail's group.
Result<std::string> cpus_of(const Place& place, const fs::path& group, const std::string& asked) {
    const auto text = read_knob(group / kCpus);
    if (!text) return std::unexpected(text.error());
    if (!*text) return std::string();
    const auto all = all_cpus(place);
    if (!all) return std::unexpected(all.error());
    return listed_cpus(without_newline(**text), *all, asked);
}

Result<void> set_cpus(const Place& place, const fs::path& group, const std::string& cpus) {
    const auto all = all_cpus(place);
    if (!all) return std::unexpected(all.error());
    if (cpus.empty()) return write_knob(group / kCpus, *all, Wanted::no);
    // A host may have lost some since they were asked for.
    if (auto there = among_cpus(cpus, *all); !there) return there;
    return write_knob(group / kCpus, cpus, Wanted::yes);
}

}  // namespace

Result<cgroups::Controllers> LinuxLimits::controllers() {
    const std::lock_guard lock(mutex_);
    if (controllers_) return *controllers_;
    auto found = cgroups::controllers();
    if (found) controllers_ = *found;
    return found;
}

Result<void> LinuxLimits::check(const model::Limits& limits, const fs::path& root) {
    if (auto possible = check_controllers(limits); !possible || !cgroups::any_of_disk(limits)) return possible;
    const auto disk = cgroups::disk_beneath(root.empty() ? layout_.state : root);
    return disk ? Result<void>{} : std::unexpected(disk.error());
}

Result<void> LinuxLimits::check_controllers(const model::Limits& limits) {
    auto of_groups = limits;
    if (const auto files = of_groups.extract(std::string(file_limits::kResource)))
        if (auto possible = file_limits::check(files.mapped()); !possible) return possible;
    if (auto possible = cgroups::check_knobs(of_groups); !possible) return possible;
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    for (const auto& [resource, limit] : of_groups) {
        const auto& knob = *cgroups::knob_of(resource);
        if (!place_of(knob, *all))
            return std::unexpected(
                Error{.code = Errc::unsupported,
                      .op = "limits",
                      .detail = fmt::format("this host has no control group controller {}", knob.v2_controller()),
                      .reason = "limits_unsupported",
                      .field = "/" + resource,
                      .remedy = "cat /sys/fs/cgroup/cgroup.controllers; leave it out otherwise"});
    }
    return {};
}

/// Of the root as it is mounted, or of where it will be.
Result<cgroups::DiskId> LinuxLimits::disk_of(JailId id) const {
    auto disk = cgroups::disk_beneath(layout_.root(id));
    return disk || disk.error().sys != ENOENT ? disk : cgroups::disk_beneath(layout_.state);
}

/// What a knob's file says of a jail.
Result<std::optional<model::LimitRule>> LinuxLimits::rule_in(const Knob& knob, Version version, const std::string& text,
                                                             const LimitSubject& jail) const {
    if (!knob.of_disk()) return cgroups::knob_rule(knob, text, jail.asked);
    if (text.empty()) return std::nullopt;
    const auto disk = disk_of(jail.id);
    if (!disk && disk.error().code == Errc::unsupported) return std::nullopt;
    if (!disk) return std::unexpected(disk.error());
    return cgroups::disk_rule(knob, version, *disk, text);
}

Result<void> LinuxLimits::check_cpus(const std::string& cpus) {
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    const auto place = place_of_cpus(*all);
    if (!place)
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "cpuset",
                                     .detail = "this host has no control group controller cpuset",
                                     .reason = "limits_unsupported",
                                     .remedy = "leave cpuset out"});
    const auto there = all_cpus(*place);
    return there ? among_cpus(cpus, *there) : std::unexpected(there.error());
}

Result<std::vector<ObservedLimits>> LinuxLimits::list(const std::vector<LimitSubject>& jails) {
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    std::vector<ObservedLimits> listed;
    listed.reserve(jails.size());
    for (const auto& jail : jails) {
        auto& limits = listed.emplace_back(ObservedLimits{.id = jail.id, .rules = {}});
        for (const auto& knob : cgroups::knobs()) {
            const auto place = place_of(knob, *all);
            if (!place) {
                if (jail.asked.contains(std::string(knob.resource))) limits.supported = false;
                continue;
            }
            const auto group = place->hierarchy / cgroup_path(layout_.instance, jail.id);
            const auto text = read_knob(group / knob.file(place->version));
            if (!text) return std::unexpected(text.error());
            if (!*text) continue;
            auto rule = rule_in(knob, place->version, **text, jail);
            if (!rule) return std::unexpected(rule.error());
            if (*rule) limits.rules.push_back(**std::move(rule));
            count_breaches(group, knob, place->version, limits);
        }
        if (auto rule = file_rule(*all, jail)) limits.rules.push_back(*std::move(rule));
        std::ranges::sort(limits.rules);
        const auto place = place_of_cpus(*all);
        limits.cpus_supported = place.has_value();
        if (!place) continue;
        auto cpus = cpus_of(*place, place->hierarchy / cgroup_path(layout_.instance, jail.id), jail.cpus);
        if (!cpus) return std::unexpected(cpus.error());
        limits.cpus = *std::move(cpus);
    }
    return listed;
}

/// Its group's pids by any controller; none for a jail that does not live.
Result<std::vector<std::int64_t>> LinuxLimits::members(const cgroups::Controllers& all, JailId id) const {
    const auto place = place_of(*cgroups::knob_of("maxproc"), all);
    if (!place) return std::vector<std::int64_t>{};
    const auto text = read_knob(place->hierarchy / cgroup_path(layout_.instance, id) / "cgroup.procs");
    if (!text) return std::unexpected(text.error());
    return cgroups::pids_in(text->value_or(""));
}

/// One that went meanwhile is seen as gone by the next look.
std::optional<model::LimitRule> LinuxLimits::file_rule(const cgroups::Controllers& all,
                                                       const LimitSubject& jail) const {
    const auto pids = members(all, jail.id);
    const auto first = pids ? file_limits::process_1(*pids) : std::nullopt;
    const auto there = first ? file_limits::of(*first) : std::nullopt;
    return there ? file_limits::rule_of(*there, file_limits::usual(), jail.asked) : std::nullopt;
}

Result<void> LinuxLimits::set_files(const cgroups::Controllers& all, const LimitSubject& jail,
                                    const model::Limits& limits) {
    // Programs may have lowered theirs where nobody asked for anything.
    if (!limits.contains(std::string(file_limits::kResource)) && !file_rule(all, {.id = jail.id, .name = jail.name}))
        return {};
    return file_limits::set(
        cgroup_path(layout_.instance, jail.id), [&] { return members(all, jail.id); }, file_limits::wanted(limits));
}

Result<void> LinuxLimits::ensure(const LimitSubject& jail, const model::Limits& limits) {
    if (auto possible = check_controllers(limits); !possible) return possible;
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    for (const auto& knob : cgroups::knobs()) {
        const auto place = place_of(knob, *all);
        if (!place) continue;
        const auto asked = limits.find(std::string(knob.resource));
        const auto amount = asked == limits.end() ? std::nullopt : std::optional(asked->second.amount);
        const auto file = place->hierarchy / cgroup_path(layout_.instance, jail.id) / knob.file(place->version);
        auto text = cgroups::knob_text(knob, place->version, amount);
        if (knob.of_disk()) {
            // Nothing of a disk's is there, and nothing is to be: whatever the root is on need not be asked.
            if (!amount && read_knob(file).value_or(std::nullopt).value_or("").empty()) continue;
            const auto disk = disk_of(jail.id);
            if (!disk) return std::unexpected(disk.error());
            text = cgroups::disk_text(knob, place->version, *disk, amount);
        }
        if (auto written = write_amount(file, text, amount ? Wanted::yes : Wanted::no); !written) return written;
    }
    if (auto done = set_files(*all, jail, limits); !done) return done;
    const auto place = place_of_cpus(*all);
    if (!place) return {};
    return set_cpus(*place, place->hierarchy / cgroup_path(layout_.instance, jail.id), jail.cpus);
}

Result<void> LinuxLimits::remove(const LimitSubject& jail) {
    return ensure(jail, {});
}

}  // namespace jaild::kernel
