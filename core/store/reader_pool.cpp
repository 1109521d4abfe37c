#include "core/store/reader_pool.h"

#include "core/store/transaction.h"

namespace jaild::store {

Result<std::unique_ptr<ReaderPool>> ReaderPool::open(const std::filesystem::path& path, std::size_t size) {
    auto pool = std::make_unique<ReaderPool>();
    for (std::size_t i = 0; i < size; ++i) {
        auto connection = Connection::open(path, Connection::Mode::read_only);
        if (!connection) return std::unexpected(connection.error());
        pool->free_.push_back(*std::move(connection));
    }
    return pool;
}

Result<void> ReaderPool::read(const std::function<Result<void>(Reader&)>& work) {
    std::unique_ptr<Connection> connection;
    {
        std::unique_lock lock(mutex_);
        given_back_.wait(lock, [this] { return !free_.empty(); });
        connection = std::move(free_.back());
        free_.pop_back();
    }
    auto done = run_read(*connection, work);
    {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(connection));
    }
    given_back_.notify_one();
    return done;
}

}  // namespace jaild::store
