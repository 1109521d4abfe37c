#pragma once

#include <functional>
#include <span>

#include "core/base/clock.h"
#include "core/store/connection.h"
#include "core/store/store.h"

namespace jaild::store {

/// One caller's change, and what became of it.
struct Change {
    std::function<Result<void>(Writer&)> work;
    Result<void> result{};
};

/// Runs changes on the writer's connection, many in one transaction: one fsync for all. Owns nothing; one thread.
class GroupCommit {
public:
    GroupCommit(Connection& connection, Clock& clock, const Retention& keep)
        : connection_(connection), clock_(clock), keep_(keep) {}

    /// Gives every change its result: success only after the COMMIT that holds it; its own Error with nothing of it
    /// done; or the transaction's. Returns the newest event that was committed, 0 for none.
    EventSeq run(std::span<Change* const> changes);

private:
    std::size_t run_transaction(std::span<Change* const> changes);
    Result<void> run_one(Change& change, EventSeq& newest);

    Connection& connection_;
    Clock& clock_;
    const Retention& keep_;
    EventSeq committed_{};
};

/// Runs `work` in a snapshot of its own.
Result<void> run_read(Connection& connection, const std::function<Result<void>(Reader&)>& work);

}  // namespace jaild::store
