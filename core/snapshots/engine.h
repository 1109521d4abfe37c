#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/kernel/kernel.h"
#include "core/model/operation.h"
#include "core/model/snapshot.h"
#include "core/store/store.h"

namespace jaild::snapshots {

struct Options {
    std::size_t at_once = 2;          ///< snapshots that are taken; others wait
    Milliseconds try_again{30'000};   ///< a removal, or what could not be written down
    Milliseconds look_every{20'000};  ///< at schedules
    /// A scheduled one that failed is not tried again before.
    Milliseconds after_failure{600'000};
};

/// Takes and removes snapshots: what was written down and what schedules ask for, on threads of its own. Restoring is
/// the reconciler's. Crash-only: what a daemon left unfinished is removed by the next one. Thread-safe.
class Engine {
public:
    Engine(store::Store& store, kernel::Kernel& kernel, Clock& clock, Options options = {});
    ~Engine();  ///< stop()

    /// Snapshots that another daemon did not finish fail ("snapshot_interrupted"), what is left of them and of removals
    /// goes. Starts the threads. Before anything else; blocks on the store and on a look at the directories.
    Result<void> prepare();

    /// After COMMIT of its row, in state creating. Never blocks.
    void take(const model::Snapshot& value);
    /// After COMMIT of its row in state removing. Never blocks.
    void remove(const model::Snapshot& value);
    /// Its operation was cancelled, or its jail is going: it ends soon, and its row goes. Never blocks.
    void interrupt(SnapshotId id);

    struct Seen {
        std::optional<model::Progress> progress;
        std::vector<std::string> steps;
    };
    /// What is under way of it. Never blocks.
    [[nodiscard]] Seen see(SnapshotId id) const;

    /// Looks at all schedules now: what the thread does every now and then. Blocks on the store.
    Result<void> look();

    /// Ends what is under way; the next daemon goes on with it. Blocking: a removal goes on to its end.
    void stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild::snapshots
