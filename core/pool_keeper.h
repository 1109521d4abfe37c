#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/model/jail.h"
#include "core/model/pool.h"

namespace jaild {

/// Keeps pools full: makes the jails that they lack, and removes those that are too many, of an earlier spec, of a pool
/// that is gone, or that do not come up. A thread of its own; what it does not know after a start it finds in the rows.
class PoolKeeper {
public:
    struct Ports {
        std::function<Result<std::vector<model::Pool>>()> pools;
        std::function<std::vector<model::Jail>()> jails;  ///< with their status; never blocks
        std::function<Result<void>(const model::Pool&)> make;
        std::function<void(const model::Jail&)> remove;
    };
    PoolKeeper(Clock& clock, Ports ports) : clock_(clock), ports_(std::move(ports)) {}
    ~PoolKeeper() { stop(); }
    PoolKeeper(const PoolKeeper&) = delete;
    PoolKeeper& operator=(const PoolKeeper&) = delete;

    void start();
    void stop();
    /// A pool was made or changed, or a jail taken. Never blocks.
    void poke();
    /// Never blocks.
    [[nodiscard]] model::PoolStatus status(const model::Pool& pool) const;

    /// One look at all of them; what the thread does, and a test. Blocking. Jails are on their way: look again soon.
    bool settle();

    /// Jails of one pool that are made at a time.
    static constexpr unsigned kAtOnce = 4;

private:
    struct Trouble {
        std::string failure{};
        unsigned tries = 0;
        Clock::Monotonic next{};
        Generation jail_generation = 0;
    };
    bool settle(const model::Pool& pool, const std::vector<model::Jail>& jails);
    void failed(const model::Pool& pool, const std::string& why);
    void run();

    Clock& clock_;
    Ports ports_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool poked_ = false;
    bool stopping_ = false;
    std::map<PoolId, Trouble> troubles_;
    std::thread thread_;
};

}  // namespace jaild
