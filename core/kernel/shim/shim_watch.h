#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/channel.h"

namespace jaild::kernel {

/// Listens to the events of many shims in one thread of its own, one connection to each. A shim that goes away is an
/// event; it is tried again as long as a process holds its lock.
class ShimWatch {
public:
    using OnChange = std::function<void(JailId)>;
    explicit ShimWatch(UniqueFd state_directory) : state_(std::move(state_directory)) {}
    ShimWatch(const ShimWatch&) = delete;
    ShimWatch& operator=(const ShimWatch&) = delete;
    ~ShimWatch();

    /// Once. The callback must not block.
    Result<void> start(OnChange on_change);
    /// Listen to this jail's shim too, which lives. Any thread, also before start().
    void add(JailId id);

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Watched {
        std::optional<shim::Channel> channel;
        Time next_try{};
        std::chrono::milliseconds pause{100};
    };
    void run();
    void take_added();
    void connect_all(Time now);
    bool connect(JailId id, Watched& watched);
    void wait(Time now);
    void read(JailId id, Watched& watched);
    void wake() const;

    UniqueFd state_;
    OnChange on_change_;
    Pipe waker_;
    std::thread thread_;
    std::mutex mutex_;  ///< of the next two
    std::set<JailId> added_;
    bool ending_ = false;
    std::map<JailId, Watched> watched_;  ///< the thread's own
};

}  // namespace jaild::kernel
