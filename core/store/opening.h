#pragma once

#include <memory>

#include "core/base/ids.h"
#include "core/store/connection.h"
#include "core/store/store.h"

namespace jaild::store {

/// A database that was checked, migrated and found to be this host's.
struct OpenDatabase {
    std::unique_ptr<Connection> connection;  ///< the writer's
    InstanceId instance;
};

/// The state lock must be held. Errors as Store::open's; a refused database keeps each of its bytes.
Result<OpenDatabase> open_file(const std::filesystem::path& path, const StoreOptions& options);
Result<OpenDatabase> open_memory(const StoreOptions& options);

}  // namespace jaild::store
