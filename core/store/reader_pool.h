#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/store/connection.h"
#include "core/store/store.h"

namespace jaild::store {

/// A few read-only connections, lent to one reader at a time. Thread-safe.
class ReaderPool {
public:
    static Result<std::unique_ptr<ReaderPool>> open(const std::filesystem::path& path, std::size_t size);
    /// Waits for a free connection when all are lent.
    Result<void> read(const std::function<Result<void>(Reader&)>& work);

private:
    std::mutex mutex_;
    std::condition_variable given_back_;
    std::vector<std::unique_ptr<Connection>> free_;
};

}  // namespace jaild::store
