#include "core/kernel/freebsd/pure/rctl_rules.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

namespace jaild::kernel::freebsd::rctl {
namespace {

constexpr std::string_view kSubject = "jail";
/// The action that is a message to devd(8).
constexpr std::string_view kTell = "devctl";

/// Up to `separator`, which is taken away with it; all that is left where there is none.
std::string_view take(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto taken = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return taken;
}

std::optional<JailRule> parse_rule(std::string_view text) {
    if (take(text, ':') != kSubject) return std::nullopt;
    const std::string jail(take(text, ':'));
    model::LimitRule rule{.resource = std::string(take(text, ':')), .limit = {}};
    rule.limit.action = take(text, '=');
    const auto amount = take(text, '/');
    rule.limit.per = text.empty() ? kSubject : text;
    const auto [end, error] = std::from_chars(amount.data(), amount.data() + amount.size(), rule.limit.amount);
    const bool whole = error == std::errc{} && end == amount.data() + amount.size();
    if (!whole || jail.empty() || rule.resource.empty() || rule.limit.action.empty()) return std::nullopt;
    return JailRule{jail, std::move(rule)};
}

bool contains(const std::vector<model::LimitRule>& rules, const model::LimitRule& rule) {
    return std::ranges::find(rules, rule) != rules.end();
}

}  // namespace

std::string rule_text(std::string_view jail, const model::LimitRule& rule) {
    std::string text = filter_text(jail);
    text.append(":").append(rule.resource).append(":").append(rule.limit.action);
    return text.append("=").append(std::to_string(rule.limit.amount)).append("/").append(rule.limit.per);
}

std::string filter_text(std::string_view jail) {
    return std::string(kSubject).append(":").append(jail);
}

std::vector<JailRule> parse_rules(std::string_view text) {
    std::vector<JailRule> rules;
    while (!text.empty())
        if (auto rule = parse_rule(take(text, ','))) rules.push_back(*std::move(rule));
    return rules;
}

std::optional<std::uint64_t> usage_in(std::string_view text, std::string_view resource) {
    while (!text.empty()) {
        auto amount = take(text, ',');
        if (take(amount, '=') != resource) continue;
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(amount.data(), amount.data() + amount.size(), value);
        if (error == std::errc{} && end == amount.data() + amount.size()) return value;
    }
    return std::nullopt;
}

bool replaces(const model::LimitRule& newer, const model::LimitRule& older) {
    return newer.limit.action == "deny" && older.limit.action == "deny" && newer.resource == older.resource &&
           newer.limit.per == older.limit.per;
}

Change change(const std::vector<model::LimitRule>& present, const std::vector<model::LimitRule>& wanted) {
    Change result;
    std::ranges::copy_if(wanted, std::back_inserter(result.add),
                         [&](const model::LimitRule& rule) { return !contains(present, rule); });
    std::ranges::copy_if(present, std::back_inserter(result.remove), [&](const model::LimitRule& rule) {
        const auto replaced = [&](const model::LimitRule& added) { return replaces(added, rule); };
        return !contains(wanted, rule) && std::ranges::none_of(result.add, replaced);
    });
    return result;
}

std::optional<model::LimitRule> companion_of(const model::LimitRule& rule) {
    const auto& action = rule.limit.action;
    if (action == kTell || action == "throttle") return std::nullopt;
    // fork1() asks before the process is one that can be named in a message; what it lets begin is told of.
    if (action == "deny" && (rule.resource == "pcpu" || rule.resource == "maxproc")) return std::nullopt;
    // semop(2) only asks how much is left: no action is ever taken.
    if (rule.resource == "nsemop") return std::nullopt;
    auto companion = rule;
    companion.limit.action = kTell;
    return companion;
}

std::vector<model::LimitRule> with_companions(std::vector<model::LimitRule> rules) {
    std::vector<model::LimitRule> companions;
    for (const auto& rule : rules)
        if (auto companion = companion_of(rule)) companions.push_back(*std::move(companion));
    rules.insert(rules.end(), std::make_move_iterator(companions.begin()), std::make_move_iterator(companions.end()));
    return rules;
}

std::vector<model::LimitRule> without_companions(const std::vector<model::LimitRule>& present,
                                                 const std::vector<model::LimitRule>& asked) {
    std::vector<model::LimitRule> companions;
    for (const auto& rule : present)
        if (auto companion = companion_of(rule)) companions.push_back(*std::move(companion));
    std::vector<model::LimitRule> shown;
    for (const auto& rule : present) {
        if (contains(companions, rule)) continue;
        const auto companion = companion_of(rule);
        if (!companion || contains(present, *companion) || !contains(asked, rule)) shown.push_back(rule);
    }
    std::ranges::sort(shown);
    return shown;
}

}  // namespace jaild::kernel::freebsd::rctl
