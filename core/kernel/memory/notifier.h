#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/ids.h"

namespace jaild::kernel::memory {

/// Tells the daemon that a jail changed, from a thread of its own as Kernel::watch() promises. Without watch() nothing
/// is started and nothing is kept: a simulation stays on one thread.
class Notifier {
public:
    Notifier() = default;
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;
    ~Notifier();

    void watch(std::function<void(JailId)> on_change);
    /// Any thread; never blocks for long.
    void changed(JailId id);

private:
    void deliver();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<JailId> pending_;
    std::function<void(JailId)> on_change_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace jaild::kernel::memory
