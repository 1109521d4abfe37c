#include "core/kernel/freebsd/limits.h"

#include <map>

#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/system/cpus.h"
#include "core/kernel/freebsd/system/rctl.h"

namespace jaild::kernel {

namespace rctl = freebsd::rctl;

/// What rctl(8) can do with each was judged by the names and actions that it has.
Result<void> FreeBsdLimits::check(const model::Limits&, const std::filesystem::path&) {
    return rctl::supported();
}

Result<FreeBsdLimits::Holder> FreeBsdLimits::holder_of(const LimitSubject& jail) const {
    const auto there = freebsd::prison_named(jail.name.text());
    if (!there) return std::unexpected(there.error());
    if (!*there) return Holder{};
    const bool ours = freebsd::is_ours(places_, jail.id, **there);
    return Holder{.jid = ours ? (*there)->jid : 0, .foreign = !ours};
}

Result<void> FreeBsdLimits::check_cpus(const std::string& cpus) {
    const auto there = freebsd::cpus::of_host();
    return there ? among_cpus(cpus, *there) : std::unexpected(there.error());
}

Result<std::vector<ObservedLimits>> FreeBsdLimits::list(const std::vector<LimitSubject>& jails) {
    std::vector<ObservedLimits> listed;
    listed.reserve(jails.size());
    const auto enforced = rctl::supported();
    if (!enforced && enforced.error().code != Errc::unsupported) return std::unexpected(enforced.error());
    std::map<std::string, std::vector<model::LimitRule>> by_name;
    if (enforced && !jails.empty()) {
        // One question for all: the kernel goes through every process for each.
        const auto all = rctl::rules(rctl::filter_text(jails.size() == 1 ? jails.front().name.text() : ""));
        if (!all) return std::unexpected(all.error());
        for (const auto& [name, rule] : *all) by_name[name].push_back(rule);
    }
    const auto all_cpus = freebsd::cpus::of_host();
    if (!all_cpus) return std::unexpected(all_cpus.error());
    const auto prisons =
        freebsd::our_prisons(places_, jails.size() == 1 ? Scope(jails.front().id) : Scope(std::nullopt));
    if (!prisons) return std::unexpected(prisons.error());
    for (const auto& jail : jails) {
        ObservedLimits limits{.id = jail.id, .supported = enforced.has_value(), .rules = {}};
        if (const auto rules = by_name.find(jail.name.text()); rules != by_name.end()) {
            const auto holder = holder_of(jail);
            if (!holder) return std::unexpected(holder.error());
            if (!holder->foreign) limits.rules = rctl::without_companions(rules->second, model::rules_of(jail.asked));
            limits.breaches = breaches_.counts(jail.id, holder->jid);
        }
        const auto prison = prisons->find(jail.id);
        const bool lives = prison != prisons->end() && !prison->second.dying;
        const auto cpus = lives ? freebsd::cpus::of_jail(prison->second.jid) : *all_cpus;
        // One that went meanwhile is seen as gone by the next look.
        if (lives && cpus) limits.cpus = listed_cpus(*cpus, *all_cpus, jail.cpus);
        listed.push_back(std::move(limits));
    }
    return listed;
}

Result<void> FreeBsdLimits::ensure_cpus(const LimitSubject& jail) {
    const auto prison = freebsd::our_prison(places_, jail.id);
    if (!prison) return std::unexpected(prison.error());
    if (!*prison) return {};
    const auto all = freebsd::cpus::of_host();
    if (!all) return std::unexpected(all.error());
    // A host may have lost some since they were asked for.
    if (auto there = jail.cpus.empty() ? Result<void>{} : among_cpus(jail.cpus, *all); !there) return there;
    return freebsd::cpus::set((*prison)->jid, jail.cpus.empty() ? *all : jail.cpus);
}

Result<void> FreeBsdLimits::ensure(const LimitSubject& jail, const model::Limits& limits) {
    if (auto done = limits.empty() ? remove_rules(jail) : ensure_rules(jail, limits); !done) return done;
    return ensure_cpus(jail);
}

Result<void> FreeBsdLimits::remove(const LimitSubject& jail) {
    return ensure(jail, {});
}

Result<void> FreeBsdLimits::ensure_rules(const LimitSubject& jail, const model::Limits& limits) {
    if (auto enforced = rctl::supported(); !enforced) return enforced;
    const auto& name = jail.name.text();
    const auto holder = holder_of(jail);
    if (!holder) return std::unexpected(holder.error());
    if (holder->foreign)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "rctl_add_rule",
                                     .detail = "a jail that is not ours has the name " + name,
                                     .reason = "name_in_use",
                                     .remedy = "rename or remove the other one: jls -j " + name + " jid path"});
    const auto there = rctl::rules(rctl::filter_text(name));
    if (!there) return std::unexpected(there.error());
    std::vector<model::LimitRule> present;
    for (const auto& [jail_name, rule] : *there)
        if (jail_name == name) present.push_back(rule);
    const auto change = rctl::change(present, rctl::with_companions(model::rules_of(limits)));
    for (const auto& rule : change.add)
        if (auto added = rctl::add(rctl::rule_text(name, rule)); !added) return added;
    for (const auto& rule : change.remove)
        if (auto removed = rctl::remove(rctl::rule_text(name, rule)); !removed) return removed;
    return {};
}

Result<void> FreeBsdLimits::remove_rules(const LimitSubject& jail) {
    if (auto enforced = rctl::supported(); !enforced)
        return enforced.error().code == Errc::unsupported ? Result<void>{} : enforced;
    const auto holder = holder_of(jail);
    if (!holder) return std::unexpected(holder.error());
    if (holder->jid == 0) breaches_.forget(jail.id);
    return holder->foreign ? Result<void>{} : rctl::remove(rctl::filter_text(jail.name.text()));
}

}  // namespace jaild::kernel
