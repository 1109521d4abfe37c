#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/status.h"
#include "core/reconcile/plan.h"

/// What clients are told about a jail, from what was found. Pure.
namespace jaild::reconcile {

/// Why the last round did not end well.
struct Failure {
    std::string step;  ///< "mount root/usr"
    Error error;
};

/// "mount root/usr: <detail> (errno 16); <remedy>"
std::string message_of(const Failure& failure);

enum class Phase { at_work, settled };

struct Findings {
    model::Jail row;
    Observed observed;
    bool unseen = false;  ///< it could not be looked at: `observed` says nothing
    Phase phase = Phase::settled;
    std::optional<Failure> failure{};
    /// Its network does without: no NAT, because of this.
    std::optional<Error> nat_missing{};
    /// Its published ports lead nowhere, because of this.
    std::optional<Error> publish_missing{};
    bool forwarding_missing = false;  ///< off, and not ours to raise
    std::vector<Awaited> waits_for{};
    std::optional<model::HealthStatus> health{};
    std::string last_words{};  ///< the last lines of the log of a jail that is given up
    bool halting = false;      ///< the host goes down: stopped, whatever the row asked
    UtcTime now{};
};

/// `previous` lends its observed_generation while this one has not converged, the `since` of conditions that stay, and
/// a last_exit that cannot be read just now.
model::JailStatus derive_status(const Findings& findings, const model::JailStatus& previous);

/// Before anybody looked: the state that its spec asks for, no conditions.
model::JailStatus expected_status(const model::Jail& row);

}  // namespace jaild::reconcile
