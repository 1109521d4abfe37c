#pragma once

#include <memory>
#include <mutex>

#include "core/store/opening.h"
#include "core/store/store.h"
#include "core/store/transaction.h"

namespace jaild::store {

/// The simulation's store: one connection in memory, used on the caller's thread. The same schema, statements,
/// transactions and savepoints as the daemon's; no threads, no file, no lock file.
class MemoryStore final : public Store {
public:
    static Result<std::unique_ptr<Store>> open(const StoreOptions& options, Clock& clock);

    [[nodiscard]] const InstanceId& instance() const override { return instance_; }
    Result<void> write(std::function<Result<void>(Writer&)> work) override;
    Result<void> read(std::function<Result<void>(Reader&)> work) override;
    void on_events(std::function<void(EventSeq)> listener) override;

private:
    MemoryStore(OpenDatabase database, Clock& clock, Retention keep);

    InstanceId instance_;
    Retention keep_;
    std::mutex mutex_;  ///< of the connection and the listener
    std::unique_ptr<Connection> connection_;
    GroupCommit commits_;
    std::function<void(EventSeq)> listener_;
};

}  // namespace jaild::store
