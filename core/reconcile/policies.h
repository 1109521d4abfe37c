#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/kernel/kernel.h"
#include "core/reconcile/compile_firewall.h"

namespace jaild::reconcile {

/// Which jails there are for the rules of others, and what the packet filter was told of groups. Rounds tell it of each
/// jail as it is held to; a jail that comes, goes or changes labels or addresses changes the members of groups, in one
/// transaction for all who name them. Thread-safe; whoever waits too long for a call that hangs gets Errc::busy.
class Policies {
public:
    explicit Policies(kernel::Kernel& kernel) : kernel_(kernel) {}

    void learn(const model::Jail& jail, const std::vector<model::Network>& networks);
    void forget(JailId jail);
    /// Every jail that is held to something; others are forgotten.
    void learn_all(const std::vector<model::Jail>& jails, const std::vector<model::Network>& networks);
    [[nodiscard]] bool knows_all() const;

    /// For a jail as it is given, learnt or not, among those that were learnt; nothing for one that should not run or
    /// has no network stack of its own.
    [[nodiscard]] std::optional<kernel::JailRules> rules_for(const model::Jail& jail,
                                                             const std::vector<model::Network>& networks) const;

    /// Tells the packet filter of groups whose members are not those that it was told last. Blocking.
    Result<void> update_groups();

    /// Why a jail's rules could not be loaded, for one that runs without; until it is learnt anew.
    void missing(JailId jail, Error error);
    void not_missing(JailId jail);
    [[nodiscard]] std::optional<Error> missing(JailId jail) const;

private:
    kernel::Kernel& kernel_;
    mutable std::mutex mutex_;  ///< of what is known
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
