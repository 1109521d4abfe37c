#include <algorithm>

#include "core/kernel/freebsd/firewall.h"
#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pf_tables.h"
#include "core/kernel/freebsd/pfctl.h"
#include "core/kernel/freebsd/pure/findings.h"
#include "core/kernel/freebsd/pure/listeners.h"
#include "core/kernel/freebsd/pure/pf_jail_rules.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/kernel/names.h"

/// Rules of jails.
namespace jaild::kernel {
namespace {

namespace pf = freebsd::pf;
namespace pfctl = freebsd::pfctl;
namespace pf_tables = freebsd::pf_tables;

Result<std::vector<JailId>> anchored(const InstanceId& instance) {
    const auto anchors = pfctl::call({"-v", "-s", "Anchors"});
    if (!anchors) return std::unexpected(anchors.error());
    return pf::jails(instance, *anchors);
}

/// Whether each table has the members that it should have.
bool filled(const std::string& anchor, const pf::JailAnchor& desired) {
    return std::ranges::all_of(desired.tables, [&](const auto& table) {
        const auto members = pf_tables::members(anchor, table.first);
        return members && pf::table_members(*members) == table.second;
    });
}

}  // namespace

bool FreeBsdFirewall::guards() {
    const auto value = freebsd::sysctl::number(freebsd::findings::kFilterMembers);
    return value && value->value_or(0) != 0;
}

Result<void> FreeBsdFirewall::enforceable() {
    if (auto on = available(); !on) return on;
    if (auto bridges = freebsd::load_module("if_bridge"); !bridges) return bridges;
    const auto value = freebsd::sysctl::number(freebsd::findings::kFilterMembers);
    if (!value) return std::unexpected(value.error());
    if (value->value_or(0) != 0) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "firewall",
                                 .detail = std::string("packets between jails of one network pass pf(4) by: ") +
                                           freebsd::findings::kFilterMembers + " is off",
                                 .reason = "firewall_not_enforceable",
                                 .remedy = freebsd::findings::kFilterBridges});
}

Result<ObservedJailRules> FreeBsdFirewall::look_at(const JailRules& desired, const std::string& shown,
                                                   const std::vector<std::string>& interfaces) {
    ObservedJailRules observed{.jail = desired.jail, .loaded = !shown.empty(), .complete = false};
    const auto wanted = pf::jail_anchor_rules(instance_, desired, interfaces);
    if (!observed.loaded) {
        observed.complete = wanted.rules == pf::Rules{};
        return observed;
    }
    const auto anchor = jail_anchor(instance_, desired.jail);
    std::string nat;
    if (!wanted.rules.nat.empty()) {
        auto answer = pfctl::call({"-P", "-a", anchor, "-s", "nat"});
        if (!answer) return std::unexpected(answer.error());
        nat = *std::move(answer);
    }
    if (!pf::shows(wanted.rules, nat, shown) || !filled(anchor, wanted)) return observed;
    const std::lock_guard lock(jails_mutex_);
    observed.complete = jails_seen_.try_emplace(desired.jail, shown).first->second == shown;
    return observed;
}

Result<std::vector<ObservedJailRules>> FreeBsdFirewall::list_jails(const std::vector<JailRules>& desired) {
    std::vector<ObservedJailRules> all;
    std::map<std::string, std::string> shown;
    std::vector<JailId> present;
    if (pfctl::is_present()) {
        const auto anchors = anchored(instance_);
        if (!anchors) return std::unexpected(anchors.error());
        present = *anchors;
    }
    if (!present.empty()) {
        const auto rules = pfctl::call({"-P", "-a", "*", "-s", "rules"});
        if (!rules) return std::unexpected(rules.error());
        shown = pf::by_anchor(*rules);
    }
    // What an anchor holds that the main ruleset does not evaluate is shown by its own name only.
    for (const JailId jail : present) {
        const auto anchor = jail_anchor(instance_, jail);
        if (shown.contains(anchor)) continue;
        auto rules = pfctl::call({"-P", "-a", anchor, "-s", "rules"});
        if (!rules) return std::unexpected(rules.error());
        shown[anchor] = *std::move(rules);
    }
    const auto interfaces = client_interfaces();
    if (!interfaces) return std::unexpected(interfaces.error());
    for (const auto& one : desired) {
        auto observed = look_at(one, shown[jail_anchor(instance_, one.jail)], *interfaces);
        if (!observed) return std::unexpected(observed.error());
        all.push_back(*observed);
    }
    for (const JailId jail : present) {
        if (shown[jail_anchor(instance_, jail)].empty()) continue;
        if (std::ranges::find(desired, jail, &JailRules::jail) == desired.end())
            all.push_back({.jail = jail, .loaded = true, .complete = false});
    }
    return all;
}

Result<void> FreeBsdFirewall::apply(const JailRules& rules) {
    if (auto on = available(); !on) return on;
    const auto interfaces = client_interfaces();
    if (!interfaces) return std::unexpected(interfaces.error());
    {
        const std::lock_guard lock(jails_mutex_);
        jails_seen_.erase(rules.jail);
    }
    return pfctl::load(jail_anchor(instance_, rules.jail),
                       pf::anchor_text(pf::jail_anchor_rules(instance_, rules, *interfaces)));
}

Result<void> FreeBsdFirewall::remove(JailId jail) {
    {
        const std::lock_guard lock(jails_mutex_);
        jails_seen_.erase(jail);
    }
    if (!pfctl::is_present()) return {};
    const auto present = anchored(instance_);
    if (!present) return std::unexpected(present.error());
    if (std::ranges::find(*present, jail) == present->end()) return {};
    return pfctl::flush(jail_anchor(instance_, jail));
}

Result<void> FreeBsdFirewall::update(const std::vector<GroupUse>& groups) {
    if (!pfctl::is_present()) return {};
    for (const auto& [group, users] : groups) {
        for (const JailId user : users) {
            // A jail without that table has no rules yet: they bring it.
            const auto replaced =
                pf_tables::replace(jail_anchor(instance_, user), pf::group_table(group.key), group.members);
            if (!replaced) return std::unexpected(replaced.error());
        }
    }
    return {};
}

Result<LoadedText> FreeBsdFirewall::loaded(const JailRules& rules) {
    if (!pfctl::is_present()) return LoadedText{};
    const auto anchor = jail_anchor(instance_, rules.jail);
    auto shown = pfctl::show(anchor);
    if (!shown) return std::unexpected(shown.error());
    if (shown->nat.empty() && shown->filter.empty()) return LoadedText{};
    const auto counted = pfctl::call({"-a", anchor, "-v", "-s", "rules"});
    if (!counted) return std::unexpected(counted.error());
    LoadedText loaded{.text = {}, .counts = pf::counts(rules, *counted)};
    for (const auto& group : rules.groups) {
        const auto table = pf::group_table(group.key);
        const auto members = pf_tables::members(anchor, table);
        loaded.text += pf::table_text(table, pf::table_members(members.value_or(std::vector<Prefix>{})));
    }
    loaded.text += shown->nat + shown->filter;
    return loaded;
}

Result<std::optional<std::string>> FreeBsdFirewall::listener(const model::Publish& publish) {
    // sockstat(1) knows which process has a socket; jails with a network stack of their own are not among these.
    const auto ports = publish.host_port.to_string();
    const auto listed =
        run({"sockstat", "-l", "-n", "-q", "-P", std::string(to_string(publish.protocol)), "-p", ports});
    if (!listed) return std::unexpected(listed.error());
    if (listed->exit_code != 0)
        return std::unexpected(Error{.code = Errc::kernel, .op = "sockstat", .detail = listed->error_output});
    return freebsd::listener(listed->output, publish);
}

}  // namespace jaild::kernel
