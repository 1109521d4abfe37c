#include "core/kernel/linux/limits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/files.h"
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

std::optional<Place> place_of(std::string_view controller, const cgroups::Controllers& all) {
    const auto& v1 = controller == "memory" ? all.memory : controller == "pids" ? all.pids : all.cpu;
    if (v1) return Place{.version = Version::v1, .hierarchy = *v1};
    if (!all.unified) return std::nullopt;
    const auto words = files::read(*all.unified / "cgroup.controllers", kFileLimit);
    if (!words || !cgroups::has_word(*words, controller)) return std::nullopt;
    return Place{.version = Version::v2, .hierarchy = *all.unified};
}

/// Nothing: there is no such group.
Result<std::optional<std::string>> read_knob(const fs::path& file) {
    auto text = files::read(file, kFileLimit);
    if (text) return std::optional(*std::move(text));
    if (text.error().code == Errc::not_found || text.error().sys == ENODEV) return std::nullopt;
    return std::unexpected(text.error());
}

Result<void> write_knob(const fs::path& file, const std::string& text) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return {};
    if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
    auto error = Error::from_errno("write", errno, fmt::format("{} to {}", text, file.string()));
    // Version 1 refuses to go below what is in use, version 2 kills for it.
    if (error.sys == EBUSY) error.remedy = "the jail uses more than that: stop something there, or restart it";
    return std::unexpected(std::move(error));
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

}  // namespace

Result<cgroups::Controllers> LinuxLimits::controllers() {
    const std::lock_guard lock(mutex_);
    if (controllers_) return *controllers_;
    auto found = cgroups::controllers();
    if (found) controllers_ = *found;
    return found;
}

Result<void> LinuxLimits::check(const model::Limits& limits) {
    if (auto possible = cgroups::check_knobs(limits); !possible) return possible;
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    for (const auto& [resource, limit] : limits) {
        const std::string controller(cgroups::knob_of(resource)->controller);
        if (!place_of(controller, *all))
            return std::unexpected(Error{.code = Errc::unsupported,
                                         .op = "limits",
                                         .detail = "this host has no control group controller " + controller,
                                         .reason = "limits_unsupported",
                                         .field = "/" + resource,
                                         .remedy = "cat /sys/fs/cgroup/cgroup.controllers; leave it out otherwise"});
    }
    return {};
}

Result<std::vector<ObservedLimits>> LinuxLimits::list(const std::vector<LimitSubject>& jails) {
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    std::vector<ObservedLimits> listed;
    listed.reserve(jails.size());
    for (const auto& jail : jails) {
        auto& limits = listed.emplace_back(ObservedLimits{.id = jail.id, .rules = {}});
        for (const auto& knob : cgroups::knobs()) {
            const auto place = place_of(knob.controller, *all);
            if (!place) {
                if (jail.asked.contains(std::string(knob.resource))) limits.supported = false;
                continue;
            }
            const auto group = place->hierarchy / cgroup_path(layout_.instance, jail.id);
            const auto text = read_knob(group / knob.file(place->version));
            if (!text) return std::unexpected(text.error());
            if (!*text) continue;
            if (auto rule = cgroups::knob_rule(knob, **text, jail.asked)) limits.rules.push_back(*std::move(rule));
            count_breaches(group, knob, place->version, limits);
        }
        std::ranges::sort(limits.rules);
    }
    return listed;
}

Result<void> LinuxLimits::ensure(const LimitSubject& jail, const model::Limits& limits) {
    if (auto possible = check(limits); !possible) return possible;
    const auto all = controllers();
    if (!all) return std::unexpected(all.error());
    for (const auto& knob : cgroups::knobs()) {
        const auto place = place_of(knob.controller, *all);
        if (!place) continue;
        const auto asked = limits.find(std::string(knob.resource));
        const auto amount = asked == limits.end() ? std::nullopt : std::optional(asked->second.amount);
        const auto file = place->hierarchy / cgroup_path(layout_.instance, jail.id) / knob.file(place->version);
        if (auto written = write_knob(file, cgroups::knob_text(knob, place->version, amount)); !written) return written;
    }
    return {};
}

Result<void> LinuxLimits::remove(const LimitSubject& jail) {
    return ensure(jail, {});
}

}  // namespace jaild::kernel
