#include "core/kernel/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/freebsd/pure/rctl_rules.h"
#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {

namespace rctl = freebsd::rctl;
namespace {

constexpr const char* kCpus = "0-7";

}  // namespace

Result<void> MemoryLimits::check_racct() const {
    if (world_.state.racct) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "rctl_add_rule",
                                 .sys = ENOSYS,
                                 .detail = "this kernel enforces no limits: kern.racct.enable is 0",
                                 .reason = "limits_unsupported",
                                 .remedy = "sysrc -f /boot/loader.conf kern.racct.enable=1 && shutdown -r now"});
}

Result<void> MemoryLimits::check(const model::Limits&, const std::filesystem::path&) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("limits.check"); !met) return met;
    return check_racct();
}

Result<void> MemoryLimits::check_cpus(const std::string& cpus) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("limits.check_cpus"); !met) return met;
    return among_cpus(cpus, kCpus);
}

Result<void> MemoryLimits::set_cpus(const LimitSubject& jail) {
    auto* prison = world_.prison(jail.id);
    if (prison == nullptr || prison->cpus == jail.cpus) return {};
    return world_.faults.step("limits.ensure.cpus", [&]() -> Result<void> {
        prison->cpus = jail.cpus;
        return {};
    });
}

Result<std::vector<ObservedLimits>> MemoryLimits::list(const std::vector<LimitSubject>& jails) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("limits.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedLimits> listed;
    for (const auto& jail : jails) {
        ObservedLimits limits{.id = jail.id, .supported = world_.state.racct, .rules = {}};
        const auto rules = world_.state.limits.find(jail.name.text());
        if (limits.supported && rules != world_.state.limits.end() && !world_.foreign_jail(jail.name.text()))
            limits.rules = rules->second;
        if (const auto* prison = world_.prison(jail.id); prison != nullptr && prison->life == JailLife::alive)
            limits.breaches = prison->breaches;
        std::ranges::sort(limits.rules);
        if (const auto* prison = world_.prison(jail.id))
            limits.cpus = listed_cpus(prison->cpus.empty() ? kCpus : prison->cpus, kCpus, jail.cpus);
        listed.push_back(std::move(limits));
    }
    return listed;
}

/// rctl_rule_add() of kern_rctl.c: no rule twice, and a deny rule takes the place of one that differs in its amount.
Result<void> MemoryLimits::add_rule(const std::string& name, const model::LimitRule& rule) {
    return world_.faults.step("limits.ensure.add", [&]() -> Result<void> {
        const auto* resource = model::limit_resource(rule.resource);
        const bool possible = resource != nullptr && (rule.limit.action != "deny" || resource->deny) &&
                              (rule.limit.action != "throttle" || resource->throttle) &&
                              (rule.limit.per != "process" || resource->per_process);
        if (!possible)
            return std::unexpected(Error::from_errno("rctl_add_rule", EOPNOTSUPP, rctl::rule_text(name, rule)));
        auto& rules = world_.state.limits[name];
        std::erase_if(rules, [&](const model::LimitRule& old) { return old == rule || rctl::replaces(rule, old); });
        rules.push_back(rule);
        return {};
    });
}

Result<void> MemoryLimits::ensure(const LimitSubject& jail, const model::Limits& limits) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("limits.ensure"); !met) return met;
    if (auto enforced = check_racct(); !limits.empty() && !enforced) return enforced;
    if (auto done = set_cpus(jail); !done) return done;
    const auto& name = jail.name.text();
    if (world_.foreign_jail(name)) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "rctl_add_rule",
                                     .detail = fmt::format("a jail that is not ours has the name {}", name),
                                     .reason = "name_in_use"});
    }
    const auto there = world_.state.limits.find(name);
    const auto change = rctl::change(
        there == world_.state.limits.end() ? std::vector<model::LimitRule>{} : there->second, model::rules_of(limits));
    for (const auto& rule : change.add)
        if (auto added = add_rule(name, rule); !added) return added;
    for (const auto& rule : change.remove) {
        auto removed = world_.faults.step("limits.ensure.remove", [&]() -> Result<void> {
            auto& rules = world_.state.limits[name];
            std::erase(rules, rule);
            if (rules.empty()) world_.state.limits.erase(name);
            return {};
        });
        if (!removed) return removed;
    }
    return {};
}

Result<void> MemoryLimits::remove(const LimitSubject& jail) {
    std::lock_guard lock(world_.mutex);
    if (auto done = set_cpus(jail); !done) return done;
    return world_.faults.step("limits.remove", [&]() -> Result<void> {
        if (!world_.foreign_jail(jail.name.text())) world_.state.limits.erase(jail.name.text());
        return {};
    });
}

}  // namespace jaild::kernel::memory
