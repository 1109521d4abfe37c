#include "core/reconcile/policies.h"

#include <algorithm>
#include <chrono>

#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

/// An update of groups hangs if this is not enough.
constexpr std::chrono::seconds kPolicyPatience{30};
/// `service pf restart` takes less.
constexpr std::chrono::seconds kReloadPatience{10};

}  // namespace

void Policies::learn(const model::Jail& jail, const std::vector<model::Network>& networks) {
    const std::lock_guard lock(mutex_);
    networks_ = networks;
    residents_[jail.id] = resident(jail, networks);
}

void Policies::forget(JailId jail) {
    const std::lock_guard lock(mutex_);
    residents_.erase(jail);
    missing_.erase(jail);
    seen_.erase(jail);
}

void Policies::learn_all(const std::vector<model::Jail>& jails, const std::vector<model::Network>& networks) {
    Residents all;
    for (const auto& jail : jails) all.emplace(jail.id, resident(jail, networks));
    const std::lock_guard lock(mutex_);
    networks_ = networks;
    residents_ = std::move(all);
    knows_all_ = true;
}

bool Policies::knows_all() const {
    const std::lock_guard lock(mutex_);
    return knows_all_;
}

std::optional<kernel::JailRules> Policies::rules_for(const model::Jail& jail,
                                                     const std::vector<model::Network>& networks) const {
    if (!wanted(jail)) return std::nullopt;
    auto self = resident(jail, networks);
    if (self.endpoints.empty()) return std::nullopt;
    if (self.publish.empty() && self.firewall.empty() && !kernel_.firewall().guards()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto known = residents_.find(jail.id);
    if (known != residents_.end() && known->second == self) return compile_firewall(self, residents_, networks);
    auto all = residents_;
    all.insert_or_assign(jail.id, self);
    return compile_firewall(self, all, networks);
}

Result<void> Policies::update_groups() {
    {
        std::unique_lock lock(turn_mutex_);
        if (!turn_free_.wait_for(lock, kPolicyPatience, [&] { return !turn_taken_; }))
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "groups",
                                         .detail = "another change of the packet filter's groups does not end",
                                         .reason = "firewall_busy"});
        turn_taken_ = true;
    }
    struct Turn {
        Policies& policies;
        ~Turn() {
            const std::lock_guard lock(policies.turn_mutex_);
            policies.turn_taken_ = false;
            policies.turn_free_.notify_one();
        }
    } const turn{*this};
    return tell();
}

Result<void> Policies::tell() {
    auto wanted = [&] {
        const std::lock_guard lock(mutex_);
        return compile_groups(residents_, networks_);
    }();
    std::vector<kernel::GroupUse> changed;
    for (const auto& [key, use] : wanted) {
        const auto before = told_.find(key);
        // A group that is new comes with the rules that name it.
        if (before != told_.end() && before->second.group != use.group) changed.push_back(use);
    }
    for (const auto& [key, use] : told_)
        if (!wanted.contains(key)) changed.push_back({.group = {.key = key, .members = {}}, .users = {}});
    if (!changed.empty())
        if (auto told = kernel_.firewall().update(changed); !told) return told;
    told_ = std::move(wanted);
    return {};
}

Unfiltered Policies::unfiltered() {
    const auto enforceable = kernel_.firewall().enforceable();
    // That a tool failed says nothing about the packet filter.
    const bool known = enforceable || enforceable.error().code == Errc::unsupported;
    const std::lock_guard lock(mutex_);
    if (!known) return Unfiltered::no;
    if (enforceable) {
        unenforceable_since_.reset();
        return Unfiltered::no;
    }
    const auto now = clock_.monotonic();
    if (!unenforceable_since_) unenforceable_since_ = now;
    return now - *unenforceable_since_ < kReloadPatience ? Unfiltered::briefly : Unfiltered::lasting;
}

Unfiltered Policies::unfiltered_on_bridges(const kernel::JailRules& rules) {
    auto& firewall = kernel_.firewall();
    const bool enforced = std::ranges::all_of(rules.endpoints, [&](const kernel::Endpoint& one) {
        return one.bridge.empty() || firewall.enforceable_on(one.bridge).has_value();
    });
    return enforced ? Unfiltered::no : Unfiltered::lasting;
}

Unfiltered Policies::unfiltered(const kernel::JailRules& rules) {
    const auto anywhere = unfiltered();
    return anywhere == Unfiltered::no ? unfiltered_on_bridges(rules) : anywhere;
}

std::optional<kernel::ObservedJailRules> Policies::seen(const kernel::JailRules& wanted) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(wanted.jail);
    if (found == seen_.end()) {
        if (!saw_all_ || !lately(*saw_all_)) return std::nullopt;
        return kernel::ObservedJailRules{.jail = wanted.jail, .loaded = false, .complete = false};
    }
    const auto& [observed, compared, at] = found->second;
    if (!observed || !lately(at)) return std::nullopt;
    if (!observed->loaded || compared == wanted) return observed;
    auto same_groups = compared;
    same_groups.groups = wanted.groups;
    // Other members came by a change of groups, most likely; other rules are still to be loaded.
    if (!observed->complete || same_groups == wanted) return std::nullopt;
    return kernel::ObservedJailRules{.jail = wanted.jail, .loaded = true, .complete = false};
}

void Policies::saw(const kernel::JailRules& wanted, const kernel::ObservedJailRules& observed,
                   Clock::Monotonic looked) {
    const std::lock_guard lock(mutex_);
    auto& known = seen_[observed.jail];
    if (known.at <= looked) known = {.observed = observed, .compared = wanted, .at = looked};
}

void Policies::saw_all(Clock::Monotonic looked) {
    const std::lock_guard lock(mutex_);
    saw_all_ = looked;
}

void Policies::changes(JailId jail) {
    const std::lock_guard lock(mutex_);
    seen_[jail] = {.observed = {}, .compared = {}, .at = clock_.monotonic()};
}

void Policies::missing(JailId jail, Error error) {
    const std::lock_guard lock(mutex_);
    missing_.insert_or_assign(jail, std::move(error));
}

void Policies::not_missing(JailId jail) {
    const std::lock_guard lock(mutex_);
    missing_.erase(jail);
}

std::optional<Error> Policies::missing(JailId jail) const {
    const std::lock_guard lock(mutex_);
    const auto found = missing_.find(jail);
    return found == missing_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace jaild::reconcile
