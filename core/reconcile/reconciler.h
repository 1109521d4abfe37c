#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/health/record.h"
#include "core/kernel/kernel.h"
#include "core/model/leftover.h"
#include "core/reconcile/lifetimes.h"
#include "core/reconcile/plan.h"
#include "core/store/store.h"

namespace jaild::reconcile {

struct ReconcilerOptions {
    std::size_t workers = 8;
    std::size_t max_written_off = 8;  ///< hung workers that were replaced; beyond it /readyz says so
    /// Jails of which programs of the user's (exec.start, exec.stop, a command that is to end) or the deletion of a
    /// root are waited for at the same time, each by a thread of its own; further ones are tried again until one has
    /// ended.
    std::size_t max_long = 64;
    Milliseconds lend_after{10'000};  ///< so long they have one of the workers
    Milliseconds call_deadline{
        120'000};  ///< a step that takes longer (programs of the user's: than their timeout and this) costs its worker
    Milliseconds resync{5'000};          ///< jails, links, mounts; later when a look takes long (pause_after)
    Milliseconds slow_resync{30'000};    ///< limits, firewall, forwarding
    Milliseconds stop_patience{10'000};  ///< how long stop() waits for steps under way
    std::size_t halt_workers = 32;       ///< most of a jail's stop is waiting for its programs
    bool manage_forwarding = true;
    /// So long the command of a jail that was upgraded must not fail after it has come up.
    Milliseconds upgrade_trial{5'000};
};

struct Readiness {
    bool looked = false;  ///< of each jail that lives the status is what was found
    bool ready = false;   ///< the first round over all jails is done
    std::size_t written_off = 0;
    bool exhausted = false;  ///< too many workers written off
};

/// Makes the kernel match the store. One serial queue for each jail, jails in parallel, a periodic resync.
/// Thread-safe. The constructor starts nothing.
class Reconciler {
public:
    Reconciler(store::Store& store, kernel::Kernel& kernel, Clock& clock, ReconcilerOptions options);
    ~Reconciler();  ///< stop()

    /// Starts workers, kernel watch and resync; the first round over everything begins.
    void start();
    /// Ends after the steps under way; jails run on. False: a step hangs (or runs a program of the user's) in a thread
    /// that still uses kernel and store; the process should end by _exit(2) then, which hurts nothing.
    bool stop();

    /// For a host that goes down: stops every jail, whatever its row asks, and keeps it so for the rest of this
    /// process. The store is not told, so the next daemon, after a crash in the middle too, starts them again. No
    /// program of a jail's gets more than a third of what is left of `patience`. Blocking, until all are stopped or
    /// `patience` is over: the names of those that are left. Without start() (the simulation) on this thread.
    Result<std::vector<std::string>> halt(Milliseconds patience);

    /// Something of this jail changed: look at it now, even if it waits to be tried again. Never blocks.
    void poke(JailId id);
    /// The same when something else is wanted than what is under way (a removal, a stop, a restart): a program of the
    /// user's (exec.start, exec.stop, a command that ends) is waited for no longer.
    void interrupt(JailId id);

    /// A program of a client's is about to run in this jail: it does not go for want of one meanwhile. Nothing when it
    /// is about to go.
    [[nodiscard]] std::optional<Lifetimes::Hold> hold(JailId id);

    /// Networks were made, changed or removed: brings them up to date now, before the next resync. Never blocks.
    void poke_networks();

    /// What a round found last, from memory: never blocks. A jail not looked at yet: stopped, no conditions.
    [[nodiscard]] model::JailStatus status(JailId id) const;
    /// The same; a jail not looked at yet: the state on the way to what its spec asks for, no conditions.
    [[nodiscard]] model::JailStatus status(const model::Jail& row) const;
    /// Steps done since the jail last converged, the last 64: what its running operation has done. Never blocks.
    [[nodiscard]] std::vector<std::string> progress(JailId id) const;
    /// A field of this row waits for a restart of the jail, as the jail was when it was last seen. Never blocks.
    [[nodiscard]] bool needs_restart(const model::Jail& row) const;
    /// Called (any worker) when a status changed; must not block. Set before start().
    void on_status(std::function<void(JailId)> listener);

    /// Observes now and plans, its network first. Blocking.
    Result<Plan> plan_now(const model::Jail& jail);
    /// The steps that would make a network as given; none for one that no jail of the store's uses. Blocking.
    Result<Plan> plan_now(const model::Network& network);
    /// Names of the jails that run on a network though their rows do not name it any more, or with addresses that their
    /// rows do not have any more: they leave it, or them, when they are restarted, or stopped. Blocking.
    Result<std::vector<std::string>> held_on(NetworkId network);
    /// For one that is about to be removed: takes down its bridge, unless somebody is on it. Blocking.
    Result<void> retire(const model::Network& network);
    /// The packet filter rules of a jail: what they should be, and what is loaded of them, with its counters. Nothing
    /// for one that should not run, or has no network stack of its own. Blocking.
    struct Rules {
        kernel::JailRules wanted;
        kernel::LoadedText loaded;
    };
    Result<std::optional<Rules>> rules_of(const model::Jail& jail);
    /// What bears our mark and has no row. `remove`: all of it goes, what lives and what may hold data too, but not
    /// what a round is busy with. Blocking; one at a time.
    enum class Remove { no, yes };
    Result<std::vector<model::Leftover>> residue(Remove remove);
    [[nodiscard]] Readiness readiness() const;
    /// As if a probe of the jail had just ended so: the simulation's, in which nobody asks.
    void probed(JailId id, const health::Outcome& outcome);

    /// One jail, once, on this thread: observe, plan, apply, until the plan is empty or a step fails. Networks that it
    /// uses come first. Blocking; what workers call, and the simulation directly. Errc::busy "round_under_way" when
    /// another thread has it.
    Result<void> reconcile(JailId id);
    /// Networks, residue without a row, drift. Blocking; a job of the queue's, one at a time. Without start() (the
    /// simulation) it is thorough each time, and jails that differ are reconciled on this thread. The first error of a
    /// network, a residue or a jail's files is returned after everything else was looked at all the same.
    Result<void> resync();

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace jaild::reconcile
