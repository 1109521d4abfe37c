#include "core/kernel/memory/notifier.h"

namespace jaild::kernel::memory {

Notifier::~Notifier() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Notifier::watch(std::function<void(JailId)> on_change) {
    std::lock_guard lock(mutex_);
    if (thread_.joinable()) return;
    on_change_ = std::move(on_change);
    thread_ = std::thread([this] { deliver(); });
}

void Notifier::changed(JailId id) {
    {
        std::lock_guard lock(mutex_);
        if (!on_change_) return;
        pending_.push_back(id);
    }
    wake_.notify_one();
}

void Notifier::deliver() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
        if (stopping_) return;
        const JailId id = pending_.front();
        pending_.pop_front();
        lock.unlock();
        on_change_(id);  // set before this thread began, never changed
        lock.lock();
    }
}

}  // namespace jaild::kernel::memory
