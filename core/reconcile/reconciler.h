#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/kernel/kernel.h"
#include "core/reconcile/plan.h"
#include "core/store/store.h"

namespace jaild::reconcile {

struct ReconcilerOptions {
    std::size_t workers = 8;
    std::size_t max_written_off = 8;         ///< hung workers that were replaced; beyond it /readyz says so
    Milliseconds call_deadline{120'000};     ///< a round that takes longer costs its worker
    Milliseconds resync{5'000};              ///< jails, links, mounts
    Milliseconds slow_resync{30'000};        ///< firewall, forwarding
    bool manage_forwarding = true;
};

struct Readiness {
    bool ready = false;                      ///< the first round over all jails is done
    std::size_t written_off = 0;
    bool exhausted = false;                  ///< too many workers written off
};

/// Makes the kernel match the store. One serial queue for each jail, jails in parallel, a periodic resync.
/// Thread-safe. The constructor starts nothing.
class Reconciler {
public:
    Reconciler(store::Store& store, kernel::Kernel& kernel, Clock& clock, ReconcilerOptions options);
    ~Reconciler();  ///< stop()

    /// Starts workers, kernel watch and resync; the first round over everything begins.
    void start();
    /// Ends after the steps under way; jails run on.
    void stop();

    /// Something of this jail changed: look at it soon. Never blocks.
    void poke(JailId id);

    /// What a round found last, from memory: never blocks. A jail not looked at yet: state by its spec, no conditions.
    [[nodiscard]] model::JailStatus status(JailId id) const;
    /// Called (any worker) when a status changed; must not block. Set before start().
    void on_status(std::function<void(JailId)> listener);

    /// Observes now and plans. Blocking.
    Result<Plan> plan_now(const model::Jail& jail);
    [[nodiscard]] Readiness readiness() const;

    /// One jail, once, on this thread: observe, plan, apply, until the plan is empty or a step fails. Networks that it
    /// uses come first. Blocking; what workers call, and the simulation directly.
    Result<void> reconcile(JailId id);
    /// Networks, residue without a row, drift. Blocking; called by the resync thread, and by the simulation.
    Result<void> resync();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild::reconcile
