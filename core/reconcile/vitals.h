#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "core/health/prober.h"
#include "core/reconcile/board.h"

namespace jaild::reconcile {

/// Which jails are asked whether they do their work, and what they answered. Thread-safe; nothing blocks beyond a short
/// lock.
class Vitals {
public:
    Vitals(kernel::Kernel& kernel, Clock& clock, Board& board) : kernel_(kernel), clock_(clock), board_(board) {}

    /// From now on jails are asked, and `on_change` is called, by a thread of its own, when one is in another state.
    /// Without it (the simulation) only probed() says how they are.
    void start(std::function<void(JailId)> on_change);
    /// Nobody is asked any more. Waits for what is under way, which is short but for a kernel call that hangs.
    void stop();

    /// A look at a jail: one that is whole and has a probe is asked from now on, any other one not.
    void look(const model::Jail& row, const std::vector<model::Network>& networks, const Observed& observed,
              health::Begin begin);
    void forget(JailId id);
    /// Adds to what was observed of a jail that it is unhealthy, if it is to be made anew for that.
    void add(const model::Jail& row, Observed& observed) const;
    /// Of the life that was observed.
    [[nodiscard]] std::optional<model::HealthStatus> status(JailId id, const Observed& observed) const;
    /// The state that nobody was told of yet. A jail that was found at work is no news.
    [[nodiscard]] std::optional<model::HealthStatus> news(JailId id) const;
    void told(JailId id, model::HealthState state);
    /// A probe of the life that goes on ended so. When to ask again.
    Milliseconds probed(JailId id, const health::Outcome& outcome);

private:
    struct Patient {
        health::Target target;
        health::Record record;
        model::HealthState told;
    };
    [[nodiscard]] health::Target target_of(const model::Jail& held, const std::vector<model::Network>& networks,
                                           const Observed& observed) const;

    kernel::Kernel& kernel_;
    Clock& clock_;
    Board& board_;
    mutable std::mutex mutex_;
    std::map<JailId, Patient> patients_;
    std::function<void(JailId)> on_change_;
    std::unique_ptr<health::Prober> prober_;
};

}  // namespace jaild::reconcile
