#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/kernel/kernel.h"
#include "core/reconcile/compile_firewall.h"
#include "core/reconcile/plan.h"

namespace jaild::reconcile {

/// Which jails there are for the rules of others, what the packet filter was told of groups, and what was seen loaded.
/// Rounds tell it of each jail as it is held to; a jail that comes, goes or changes labels or addresses changes the
/// members of groups, in one transaction for all who name them. Thread-safe; whoever waits too long for a call that
/// hangs gets Errc::busy.
class Policies {
public:
    /// `trusted_for`: so long after a look at what is loaded, or a change of it, rounds do not look again. A look costs
    /// as much as a part of a start, and a sweep looks at all jails at once.
    Policies(kernel::Kernel& kernel, Clock& clock, Milliseconds trusted_for)
        : kernel_(kernel), clock_(clock), trusted_for_(trusted_for) {}

    void learn(const model::Jail& jail, const std::vector<model::Network>& networks);
    void forget(JailId jail);
    /// Every jail that is held to something; others are forgotten.
    void learn_all(const std::vector<model::Jail>& jails, const std::vector<model::Network>& networks);
    [[nodiscard]] bool knows_all() const;

    /// For a jail as it is given, learnt or not, among those that were learnt; nothing for one that should not run, has
    /// no network stack of its own, or needs none.
    [[nodiscard]] std::optional<kernel::JailRules> rules_for(const model::Jail& jail,
                                                             const std::vector<model::Network>& networks) const;

    /// Tells the packet filter of groups whose members are not those that it was told last. Blocking.
    Result<void> update_groups();

    /// Whether policies cannot be enforced now. Blocking.
    [[nodiscard]] Unfiltered unfiltered();
    /// The same of a jail with these rules, for the sake of its bridges alone, and for all.
    [[nodiscard]] Unfiltered unfiltered_on_bridges(const kernel::JailRules& rules);
    [[nodiscard]] Unfiltered unfiltered(const kernel::JailRules& rules);

    /// What was seen of a jail's rules and lately enough.
    [[nodiscard]] std::optional<kernel::ObservedJailRules> seen(const kernel::JailRules& wanted) const;
    /// A look that began at `looked`, and had `wanted` to compare with: a change that was made since counts more.
    void saw(const kernel::JailRules& wanted, const kernel::ObservedJailRules& observed, Clock::Monotonic looked);
    /// All jails were looked at: of any that is not known, nothing is loaded.
    void saw_all(Clock::Monotonic looked);
    /// A change of what is loaded of a jail begins, and nothing is known of it until somebody saw it.
    void changes(JailId jail);

    /// Why a jail's rules could not be loaded, for one that runs without; until it is learnt anew.
    void missing(JailId jail, Error error);
    void not_missing(JailId jail);
    [[nodiscard]] std::optional<Error> missing(JailId jail) const;

private:
    struct Seen {
        std::optional<kernel::ObservedJailRules> observed{};
        kernel::JailRules compared{};
        Clock::Monotonic at{};
    };
    [[nodiscard]] bool lately(Clock::Monotonic at) const { return clock_.monotonic() - at < trusted_for_; }

    kernel::Kernel& kernel_;
    Clock& clock_;
    const Milliseconds trusted_for_;

    mutable std::mutex mutex_;  ///< of what is known
    std::map<JailId, Seen> seen_;
    std::optional<Clock::Monotonic> saw_all_{};
    std::optional<Clock::Monotonic> unenforceable_since_{};
    Residents residents_;
    std::vector<model::Network> networks_;
    bool knows_all_ = false;
    std::map<JailId, Error> missing_;

    Result<void> tell();

    /// The right to tell. Not a plain mutex: its holder may hang in a kernel call.
    std::mutex turn_mutex_;
    std::condition_variable turn_free_;
    bool turn_taken_ = false;
    std::map<std::string, kernel::GroupUse> told_;  ///< whose turn it is
};

}  // namespace jaild::reconcile
