#include "core/store/file_store.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/store/nesting.h"
#include "core/store/records.h"

namespace jaild::store {
namespace {

constexpr std::size_t kReaders = 4;
constexpr std::size_t kGroup = 64;          // bounds how long the first of a group waits for the last
constexpr int kPagesPerCheckpoint = 1'000;  // SQLite's own default

}  // namespace

Result<std::unique_ptr<Store>> FileStore::open(const StoreOptions& options, Clock& clock) {
    // The directory's own way may lead over links (/var on some hosts); the file itself must not be one.
    std::error_code failed;
    const auto directory = std::filesystem::canonical(std::filesystem::absolute(options.path).parent_path(), failed);
    if (failed) {
        return std::unexpected(
            Error::from_errno("realpath", failed.value(), "looking for the directory of " + options.path.string()));
    }
    const auto path = directory / options.path.filename();
    auto lock = StateLock::acquire(path);
    if (!lock) return std::unexpected(lock.error());
    clear_backups(path);
    auto database = open_file(path, options);
    if (!database) return std::unexpected(database.error());
    auto readers = ReaderPool::open(path, kReaders);
    if (!readers) return std::unexpected(readers.error());
    std::unique_ptr<FileStore> store(
        new FileStore(path, *std::move(lock), *std::move(database), *std::move(readers), clock, options.keep));
    if (auto kept = store->keep_records(options); !kept) return std::unexpected(kept.error());
    try {
        store->thread_ = std::thread([raw = store.get()] { raw->run(); });
    } catch (const std::system_error& thrown) {
        return std::unexpected(
            Error::from_errno("pthread_create", thrown.code().value(), "starting the writer thread"));
    }
    return store;
}

FileStore::FileStore(std::filesystem::path path, StateLock lock, OpenDatabase database,
                     std::unique_ptr<ReaderPool> readers, Clock& clock, Retention keep)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      instance_(std::move(database.instance)),
      keep_(keep),
      connection_(std::move(database.connection)),
      commits_(*connection_, clock, keep_),
      readers_(std::move(readers)) {}

Result<void> FileStore::keep_records(const StoreOptions& options) {
    if (options.records.empty()) return {};
    auto keeper = RecordKeeper::start(path_, options.records, options.on_record_problem);
    if (!keeper) return std::unexpected(keeper.error());
    keeper_ = *std::move(keeper);
    connection_->watch([this](std::string_view table) {
        recorded_changed_ = recorded_changed_ ||
                            std::ranges::find(records::kinds(), table, &records::Kind::table) != records::kinds().end();
    });
    return {};
}

FileStore::~FileStore() {
    if (thread_.joinable()) {
        {
            const std::lock_guard lock(queue_mutex_);
            stopping_ = true;
        }
        queued_.notify_one();
        thread_.join();
    }
    keeper_.reset();
    readers_.reset();
    (void)connection_->checkpoint(Connection::Checkpoint::truncate);  // when it fails, the log holds everything
}

Result<void> FileStore::write(std::function<Result<void>(Writer&)> work) {
    if (auto allowed = Nesting::check(this); !allowed) return allowed;
    Waiting own{.change = {.work = std::move(work)}};
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&own);
    queued_.notify_one();
    own.wake.wait(lock, [&own] { return own.done; });
    return std::move(own.change.result);
}

Result<void> FileStore::read(std::function<Result<void>(Reader&)> work) {
    if (auto allowed = Nesting::check(this); !allowed) return allowed;
    const Nesting inside(this);
    return readers_->read(work);
}

void FileStore::on_events(std::function<void(EventSeq)> listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
}

void FileStore::run() noexcept {
    for (;;) {
        const auto group = next_group();
        if (group.empty()) return;
        commit(group);
        checkpoint_if_due();
    }
}

/// Waits for work; empty only when the store closes and nothing is left.
std::vector<FileStore::Waiting*> FileStore::next_group() {
    std::unique_lock lock(queue_mutex_);
    queued_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kGroup));
    std::vector<Waiting*> group(queue_.begin(), queue_.begin() + count);
    queue_.erase(queue_.begin(), queue_.begin() + count);
    return group;
}

void FileStore::commit(const std::vector<Waiting*>& group) {
    std::vector<Change*> changes;
    changes.reserve(group.size());
    for (Waiting* waiting : group) changes.push_back(&waiting->change);
    {
        const Nesting inside(this);
        tell(commits_.run(changes));
    }
    if (std::exchange(recorded_changed_, false)) keeper_->changed();
    // Under the lock: a caller that wakes takes its Waiting from its stack at once.
    const std::lock_guard lock(queue_mutex_);
    for (Waiting* waiting : group) {
        waiting->done = true;
        waiting->wake.notify_one();
    }
}

void FileStore::tell(EventSeq newest) {
    if (newest.value == 0) return;
    const std::lock_guard lock(listener_mutex_);
    if (listener_) listener_(newest);
}

/// Passive: never waits for a reader. What a reader still needs is copied by a later one.
void FileStore::checkpoint_if_due() {
    const int pages = connection_->wal_pages();
    if (pages < copied_pages_) copied_pages_ = 0;  // SQLite began the log anew
    if (pages - copied_pages_ < kPagesPerCheckpoint) return;
    copied_pages_ = pages;
    // Nothing is lost when it fails (the log stays); what is wrong with the disk shows at the next COMMIT.
    (void)connection_->checkpoint(Connection::Checkpoint::passive);
}

}  // namespace jaild::store
