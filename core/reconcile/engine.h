#pragma once

#include <atomic>

#include "core/reconcile/board.h"
#include "core/reconcile/journal.h"
#include "core/reconcile/lifetimes.h"
#include "core/reconcile/neighbours.h"
#include "core/reconcile/networks.h"
#include "core/reconcile/policies.h"
#include "core/reconcile/reconciler.h"
#include "core/reconcile/vitals.h"

namespace jaild::reconcile {

/// What rounds and sweeps share. Owned by the reconciler; store, kernel and clock outlive it.
struct Engine {
    Engine(store::Store& the_store, kernel::Kernel& the_kernel, Clock& the_clock, const ReconcilerOptions& the_options)
        : store(the_store),
          kernel(the_kernel),
          clock(the_clock),
          options(the_options),
          journal(the_store, the_clock),
          lifetimes(std::make_shared<Lifetimes>(the_clock)),
          // The next sweep over all rules is due after slow_resync, and may come one resync late.
          networks(the_store, the_kernel, the_clock, journal,
                   {.manage_forwarding = the_options.manage_forwarding,
                    .rules_trusted_for = the_options.slow_resync + the_options.resync}),
          neighbours(the_store, the_kernel, board),
          policies(the_kernel, the_clock, the_options.slow_resync + the_options.resync),
          vitals(the_kernel, the_clock, board) {}

    store::Store& store;
    kernel::Kernel& kernel;
    Clock& clock;
    const ReconcilerOptions options;
    Board board;
    Journal journal;
    const std::shared_ptr<Lifetimes> lifetimes;  ///< programs of clients hold it too
    Networks networks;
    Neighbours neighbours;
    Policies policies;
    Vitals vitals;
    /// A sweep has put on the board what every jail has: until then it says nothing about those that are not on it.
    std::atomic<bool> surveyed{false};
    /// The end is near: a call that returns late must touch nothing more.
    std::atomic<bool> stopping{false};

    /// The host goes down, and should be able to within `patience`. For the rest of this process every jail is to be
    /// stopped, whatever its row asks; the store is not told, so the next daemon starts them again.
    void halt(Milliseconds patience);
    [[nodiscard]] bool halting() const { return halt_deadline_.load() != Clock::Monotonic::max(); }
    /// What the row is held to now. During a halt: a stopped jail, whose programs get a part of the time that is left.
    [[nodiscard]] model::Jail held(model::Jail row) const;

    /// Adds what no kernel tells: its health, and the lives of those that it depends on.
    void add_known(const model::Jail& row, Observed& observed) const;
    /// Jails that this one does not start without, and that are not up: while it should run, and does not live.
    [[nodiscard]] std::vector<Awaited> waits_for(const model::Jail& row, const Observed& observed) const;
    /// In a halt of the host, until two thirds of its time are over: those that live and depend on this one.
    [[nodiscard]] std::vector<std::string> needed_by(const model::Jail& row) const;

    /// How long until the restart policy makes it anew: by the machine's own clock, from when its command was first
    /// seen ended; after a start of the daemon from what the end's own time says. Nothing when it does not.
    [[nodiscard]] std::optional<Milliseconds> restart_in(const model::Jail& row, const Observed& observed);
    [[nodiscard]] bool restart_is_due(const model::Jail& row, const Observed& observed) {
        return restart_in(row, observed) == Milliseconds{0};
    }

    /// Tells `lifetimes` what this jail is there for.
    void judge_use(const model::Jail& row, const Observed& observed);

private:
    std::atomic<Clock::Monotonic> in_order_until_{Clock::Monotonic::max()};  ///< of a halt
    std::atomic<Clock::Monotonic> halt_deadline_{Clock::Monotonic::max()};
};

Result<std::vector<model::Network>> read_networks(store::Store& store);

/// Row, observation and failure of one jail put together for its status.
Findings findings_of(Engine& engine, const model::Jail& row, const Observed& observed, const Desired* desired,
                     Phase phase);

}  // namespace jaild::reconcile
