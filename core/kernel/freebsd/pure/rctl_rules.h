#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/limits.h"

/// Rules as the system calls of rctl_add_rule(2) have them: no units, no abbreviations. Pure.
namespace jaild::kernel::freebsd::rctl {

/// "jail:web:memoryuse:deny=536870912/jail". Also a filter that matches exactly this rule.
std::string rule_text(std::string_view jail, const model::LimitRule& rule);
/// "jail:web": a filter for all rules of one jail. "jail:" for all jails.
std::string filter_text(std::string_view jail);

/// A rule with the jail that it is about.
using JailRule = std::pair<std::string, model::LimitRule>;
/// What rctl_get_rules(2) answers: rules with commas between, "/per" left out where it is the subject's kind. Rules
/// about anything but jails are left out, and what cannot be read.
std::vector<JailRule> parse_rules(std::string_view text);

/// Of one resource, in what rctl_get_racct(2) answers: "cputime=1,openfiles=12". Nothing where it is not in it.
std::optional<std::uint64_t> usage_in(std::string_view text, std::string_view resource);

/// The kernel takes `older` away when it is given `newer`: both deny, and only their amounts differ (rctl_rule_add() of
/// kern_rctl.c).
bool replaces(const model::LimitRule& newer, const model::LimitRule& older);

/// What turns `present` into `wanted`: first all that is missing is added, then what is too much is taken away, so that
/// no limit is missing in between.
struct Change {
    std::vector<model::LimitRule> add;
    std::vector<model::LimitRule> remove;
};
Change change(const std::vector<model::LimitRule>& present, const std::vector<model::LimitRule>& wanted);

/// A rule has one action. So that the kernel tells when this one is met, it needs a companion: the same with the action
/// devctl. Nothing where it tells by itself, where the kernel never would, or where it would without end, for rates
/// that slow down who reaches them: `throttle`, and `deny` of pcpu.
std::optional<model::LimitRule> companion_of(const model::LimitRule& rule);
/// These and their companions.
std::vector<model::LimitRule> with_companions(std::vector<model::LimitRule> rules);
/// What of `present` a user should see, sorted: no companions. One of `asked` without its companion is not whole, and
/// is left out, so that it is set again.
std::vector<model::LimitRule> without_companions(const std::vector<model::LimitRule>& present,
                                                 const std::vector<model::LimitRule>& asked);

}  // namespace jaild::kernel::freebsd::rctl
