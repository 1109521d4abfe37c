#include "core/store/store.h"

#include "core/store/file_store.h"
#include "core/store/memory_store.h"

namespace jaild::store {

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, Clock& clock) {
    return options.path == ":memory:" ? MemoryStore::open(options, clock) : FileStore::open(options, clock);
}

}  // namespace jaild::store
