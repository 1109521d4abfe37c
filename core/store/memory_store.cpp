#include "core/store/memory_store.h"

#include <array>

#include "core/store/nesting.h"

namespace jaild::store {

Result<std::unique_ptr<Store>> MemoryStore::open(const StoreOptions& options, Clock& clock) {
    auto database = open_memory(options);
    if (!database) return std::unexpected(database.error());
    return std::unique_ptr<Store>(new MemoryStore(*std::move(database), clock, options.keep));
}

MemoryStore::MemoryStore(OpenDatabase database, Clock& clock, Retention keep)
    : instance_(std::move(database.instance)),
      keep_(keep),
      connection_(std::move(database.connection)),
      commits_(*connection_, clock, keep_) {}

Result<void> MemoryStore::write(std::function<Result<void>(Writer&)> work) {
    if (auto allowed = Nesting::check(this); !allowed) return allowed;
    Change change{.work = std::move(work)};
    const std::lock_guard lock(mutex_);
    const Nesting inside(this);
    const EventSeq newest = commits_.run(std::array{&change});
    if (newest.value != 0 && listener_) listener_(newest);
    return std::move(change.result);
}

Result<void> MemoryStore::read(std::function<Result<void>(Reader&)> work) {
    if (auto allowed = Nesting::check(this); !allowed) return allowed;
    const std::lock_guard lock(mutex_);
    const Nesting inside(this);
    return run_read(*connection_, work);
}

void MemoryStore::on_events(std::function<void(EventSeq)> listener) {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
}

}  // namespace jaild::store
