#include "core/pool_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace jaild {
namespace {

constexpr Milliseconds kSoon{100};
constexpr Milliseconds kLater{5'000};
constexpr Milliseconds kFirstTry{1'000};
constexpr Milliseconds kLastTry{300'000};

bool belongs(const model::Jail& jail, const model::Pool& pool) {
    return jail.pool && jail.pool->id == pool.id && !jail.removing;
}

std::string why_failed(const model::Jail& jail) {
    for (const auto& condition : jail.status.conditions)
        if (condition.type == "Ready" && !condition.message.empty()) return condition.message;
    return "it does not come up";
}

}  // namespace

void PoolKeeper::start() {
    thread_ = std::thread([this] { run(); });
}

void PoolKeeper::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void PoolKeeper::poke() {
    const std::lock_guard lock(mutex_);
    poked_ = true;
    changed_.notify_all();
}

void PoolKeeper::run() {
    std::unique_lock lock(mutex_);
    auto pause = Milliseconds{0};
    while (!stopping_) {
        changed_.wait_for(lock, pause, [this] { return poked_ || stopping_; });
        if (stopping_) return;
        poked_ = false;
        lock.unlock();
        bool soon = false;
        try {
            soon = settle();
        } catch (const std::exception& thrown) {
            spdlog::error("pools: {}", thrown.what());
        }
        lock.lock();
        pause = soon ? kSoon : kLater;
    }
}

bool PoolKeeper::settle() {
    const auto pools = ports_.pools();
    if (!pools) {
        spdlog::warn("pools: {}", pools.error().to_string());
        return false;
    }
    const auto jails = ports_.jails();
    bool soon = false;
    for (const auto& pool : *pools) soon = settle(pool, jails) || soon;
    for (const auto& jail : jails) {
        if (!jail.pool || jail.removing) continue;
        const auto known = std::ranges::find(*pools, jail.pool->id, &model::Pool::id);
        if (known == pools->end()) ports_.remove(jail);
    }
    const std::lock_guard lock(mutex_);
    std::erase_if(troubles_, [&](const auto& entry) {
        return std::ranges::find(*pools, entry.first, &model::Pool::id) == pools->end();
    });
    return soon;
}

bool PoolKeeper::settle(const model::Pool& pool, const std::vector<model::Jail>& jails) {
    unsigned kept = 0;
    unsigned coming = 0;
    for (const auto& jail : jails) {
        if (!belongs(jail, pool)) continue;
        const bool down = jail.status.state == model::JailState::failed;
        const bool outdated = jail.pool->generation != pool.jail_generation;
        if (down && !outdated) failed(pool, why_failed(jail));
        if (down || outdated || kept == pool.spec.size) {
            ports_.remove(jail);
            continue;
        }
        ++kept;
        if (jail.status.state != model::JailState::running) ++coming;
    }
    {
        const std::lock_guard lock(mutex_);
        const auto trouble = troubles_.find(pool.id);
        const bool another = trouble != troubles_.end() && trouble->second.jail_generation != pool.jail_generation;
        const bool mended = kept > coming;  // one of them runs
        if (trouble != troubles_.end() && (another || mended || pool.spec.size == 0)) troubles_.erase(trouble);
        if (const auto still = troubles_.find(pool.id);
            still != troubles_.end() && clock_.monotonic() < still->second.next)
            return coming > 0 || kept < pool.spec.size;
    }
    for (; kept < pool.spec.size && coming < kAtOnce; ++kept, ++coming) {
        const auto made = ports_.make(pool);
        if (made) continue;
        failed(pool, made.error().detail);
        break;
    }
    return coming > 0 || kept < pool.spec.size;
}

void PoolKeeper::failed(const model::Pool& pool, const std::string& why) {
    const std::lock_guard lock(mutex_);
    auto& trouble = troubles_[pool.id];
    const auto now = clock_.monotonic();
    if (trouble.failure != why) spdlog::warn("pool {}: {}", pool.name.text(), why);
    trouble.failure = why;
    trouble.jail_generation = pool.jail_generation;
    if (now < trouble.next) return;  // of the same try
    auto wait = kFirstTry;
    for (unsigned n = 0; n < trouble.tries && wait < kLastTry; ++n) wait *= 2;
    trouble.next = now + std::min(wait, kLastTry);
    ++trouble.tries;
}

model::PoolStatus PoolKeeper::status(const model::Pool& pool) const {
    model::PoolStatus status;
    for (const auto& jail : ports_.jails()) {
        if (!belongs(jail, pool) || jail.pool->generation != pool.jail_generation) continue;
        ++(jail.status.state == model::JailState::running ? status.ready : status.coming);
    }
    const std::lock_guard lock(mutex_);
    const auto trouble = troubles_.find(pool.id);
    if (trouble == troubles_.end()) return status;
    status.failure = trouble->second.failure;
    const auto left = std::chrono::floor<Milliseconds>(trouble->second.next - clock_.monotonic());
    if (left.count() > 0) status.next_try = UtcTime{clock_.utc().milliseconds + left.count()};
    return status;
}

}  // namespace jaild
