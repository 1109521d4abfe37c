#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/store/backup.h"
#include "core/store/opening.h"
#include "core/store/reader_pool.h"
#include "core/store/record_keeper.h"
#include "core/store/state_lock.h"
#include "core/store/store.h"
#include "core/store/transaction.h"

namespace jaild::store {

/// The daemon's store: a file, one writer thread, some readers.
class FileStore final : public Store {
public:
    static Result<std::unique_ptr<Store>> open(const StoreOptions& options, Clock& clock);
    ~FileStore() override;  ///< what waits is still written; the log is copied into the file

    [[nodiscard]] const InstanceId& instance() const override { return instance_; }
    Result<void> write(std::function<Result<void>(Writer&)> work) override;
    Result<void> read(std::function<Result<void>(Reader&)> work) override;
    void on_events(std::function<void(EventSeq)> listener) override;
    Result<UniqueFd> back_up() override { return store::back_up(path_); }

private:
    /// A change with its caller, who waits for it: lives on the caller's stack until it is done.
    struct Waiting {
        Change change;
        bool done = false;
        std::condition_variable wake{};
    };

    FileStore(std::filesystem::path path, StateLock lock, OpenDatabase database, std::unique_ptr<ReaderPool> readers,
              Clock& clock, Retention keep);
    /// The writer thread. What could be thrown here (no memory) ends the daemon: callers cannot be told the truth any
    /// more, but nothing that was acknowledged is lost, and no jail is touched.
    void run() noexcept;
    std::vector<Waiting*> next_group();
    void commit(const std::vector<Waiting*>& group);
    void tell(EventSeq newest);
    void checkpoint_if_due();
    Result<void> keep_records(const StoreOptions& options);

    const std::filesystem::path path_;
    StateLock lock_;  // first: given up last
    InstanceId instance_;
    Retention keep_;
    std::unique_ptr<Connection> connection_;  ///< the writer thread's
    GroupCommit commits_;
    int copied_pages_ = 0;  ///< pages of the log at the last checkpoint

    std::unique_ptr<RecordKeeper> keeper_;  ///< nothing: no records are kept
    bool recorded_changed_ = false;         ///< in this group, of what has records

    std::unique_ptr<ReaderPool> readers_;
    std::mutex listener_mutex_;
    std::function<void(EventSeq)> listener_;

    std::mutex queue_mutex_;
    std::condition_variable queued_;
    std::deque<Waiting*> queue_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace jaild::store
