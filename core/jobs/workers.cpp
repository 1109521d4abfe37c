#include "core/jobs/workers.h"

namespace jaild::jobs {

void Workers::start() {
    for (std::size_t i = 0; i < wanted_; ++i) threads_.emplace_back([this] { run(); });
}

void Workers::add(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(work));
    changed_.notify_all();
}

void Workers::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        waiting_.clear();
        changed_.notify_all();
    }
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    threads_.clear();
}

bool Workers::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

bool Workers::pause(Milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return stopping_; });
    return !stopping_;
}

void Workers::insist(const std::function<Result<void>()>& attempt, Milliseconds again,
                     const std::function<void(const Error&)>& tell) {
    const auto once = [&]() -> Result<void> {
        try {
            return attempt();
        } catch (const std::exception& caught) {
            return std::unexpected(Error{.code = Errc::corrupt, .op = "work", .detail = caught.what()});
        }
    };
    while (true) {
        const auto done = once();
        if (done) return;
        tell(done.error());
        if (!pause(again)) return;
    }
}

void Workers::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        auto work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace jaild::jobs
