#include "core/reconcile/queue.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace jaild::reconcile {
namespace {

/// The longest that the timekeeper sleeps: a clock that a test moves by hand is looked at so often.
constexpr Milliseconds kLongestSleep{1'000};
constexpr Milliseconds kShortestSleep{1};

struct Entry {
    bool queued = false;
    bool running = false;
    bool poked = false;   ///< while it ran
    bool nudged = false;  ///< while it ran
    std::optional<Clock::Monotonic> due{};
};

}  // namespace

struct Queue::Slot {
    JailId key;
    Clock::Monotonic deadline;
    std::optional<Clock::Monotonic> long_since{};
    bool lent = false;  ///< at something long, and another thread serves meanwhile
    bool written_off = false;
    [[nodiscard]] bool serves() const { return !lent && !written_off; }
};

struct Queue::State : std::enable_shared_from_this<State> {
    State(Clock& the_clock, const QueueOptions& the_options, Work the_work)
        : clock(the_clock), options(the_options), work(std::move(the_work)), workers(the_options.workers) {}

    Clock& clock;
    const QueueOptions options;
    const Work work;

    mutable std::mutex mutex;
    std::condition_variable ready_changed;  ///< for workers
    std::condition_variable time_changed;   ///< for the timekeeper
    std::condition_variable thread_ended;   ///< for stop()
    std::map<JailId, Entry> entries;
    std::deque<JailId> ready;
    std::list<Slot> slots;    ///< works under way
    std::size_t workers;      ///< that should serve
    std::size_t threads = 0;  ///< all that run, the timekeeper too
    std::size_t serving = 0;  ///< workers that are neither written off nor lent
    std::size_t written_off = 0;
    bool stopping = false;

    // All of the following are called with the mutex held.
    void enqueue(JailId key) {
        auto& entry = entries[key];
        entry.due.reset();
        if (entry.queued || stopping) return;
        entry.queued = true;
        ready.push_back(key);
        ready_changed.notify_one();
    }

    void finished(JailId key) {
        auto& entry = entries[key];
        entry.running = false;
        const bool poked = std::exchange(entry.poked, false);
        const bool nudged = std::exchange(entry.nudged, false);
        if (poked || (nudged && !entry.due)) return enqueue(key);
        if (entry.due) return time_changed.notify_one();
        entries.erase(key);
    }

    bool spawn(void (State::*body)()) {
        try {
            std::thread([self = shared_from_this(), body] { (self.get()->*body)(); }).detach();
            ++threads;
            return true;
        } catch (const std::system_error& failed) {
            spdlog::error("cannot start a thread: {}", failed.what());
            return false;
        }
    }

    void add_workers() {
        while (serving < workers && spawn(&State::serve)) ++serving;
    }

    void write_off_hung(Clock::Monotonic now) {
        for (auto& slot : slots) {
            if (slot.written_off || now < slot.deadline) continue;
            const bool replaced = slot.lent;
            if (slot.serves()) --serving;
            slot.written_off = true;
            spdlog::error("a kernel call for jail id {} hangs: its worker is written off ({} so far)", slot.key.value,
                          ++written_off);
            if (replaced || written_off > options.max_written_off || stopping) continue;
            if (spawn(&State::serve)) ++serving;
        }
    }

    [[nodiscard]] std::size_t long_ones() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(slots, [](const Slot& slot) { return slot.long_since.has_value(); }));
    }

    void lend(Clock::Monotonic now) {
        for (auto& slot : slots) {
            if (!slot.serves() || !slot.long_since || now < *slot.long_since + options.lend_after || stopping) continue;
            // One leaves, one comes: as many serve as before. Without the thread: again after as long.
            slot.lent = spawn(&State::serve);
            if (!slot.lent) slot.long_since = now;
        }
    }

    /// Its substitute, or another that has nothing to do, goes.
    void end_long(Slot& slot) {
        slot.long_since.reset();
        if (!std::exchange(slot.lent, false) || slot.written_off) return;
        ++serving;
        ready_changed.notify_all();
    }

    [[nodiscard]] bool surplus() const { return serving > workers; }

    /// Moves what is due to the workers; when to look again.
    Milliseconds wake_due(Clock::Monotonic now) {
        auto next = now + kLongestSleep;
        for (auto& [key, entry] : entries) {
            if (!entry.due || entry.running) continue;
            if (*entry.due <= now) {
                enqueue(key);
            } else {
                next = std::min(next, *entry.due);
            }
        }
        for (const auto& slot : slots) {
            if (!slot.written_off) next = std::min(next, slot.deadline);
            if (slot.serves() && slot.long_since) next = std::min(next, *slot.long_since + options.lend_after);
        }
        return std::max(kShortestSleep, std::chrono::ceil<Milliseconds>(next - now));
    }

    // The bodies of threads: they take the mutex themselves.
    void serve();
    void run_one(std::unique_lock<std::mutex>& lock, std::list<Slot>::iterator slot);
    void keep_time();
    void end_thread() {
        --threads;
        thread_ended.notify_all();
    }
};

void Queue::State::run_one(std::unique_lock<std::mutex>& lock, std::list<Slot>::iterator slot) {
    lock.unlock();
    Lease lease(*this, *slot);
    try {
        work(slot->key, lease);
    } catch (const std::exception& thrown) {
        spdlog::error("jail id {}: {}", slot->key.value, thrown.what());
    } catch (...) {
        spdlog::error("jail id {}: an unknown exception", slot->key.value);
    }
    lock.lock();
}

void Queue::State::serve() {
    std::unique_lock lock(mutex);
    while (true) {
        ready_changed.wait(lock, [this] { return stopping || surplus() || !ready.empty(); });
        if (stopping || surplus()) break;
        const JailId key = ready.front();
        ready.pop_front();
        auto& entry = entries[key];
        entry.queued = false;
        entry.running = true;
        const auto slot =
            slots.insert(slots.end(), {.key = key, .deadline = clock.monotonic() + options.call_deadline});
        time_changed.notify_one();
        run_one(lock, slot);
        // If nobody could take its place while it was away, it serves on; else one too many goes.
        if (!slot->serves()) ++serving;
        if (slot->written_off) --written_off;
        slots.erase(slot);
        finished(key);
    }
    --serving;
    if (!ready.empty()) ready_changed.notify_one();  // it may have been woken for that
    end_thread();
}

void Queue::State::keep_time() {
    std::unique_lock lock(mutex);
    while (!stopping) {
        const auto now = clock.monotonic();
        lend(now);
        write_off_hung(now);
        const auto sleep = wake_due(now);
        time_changed.wait_for(lock, sleep);
    }
    end_thread();
}

bool Queue::Lease::expect(Milliseconds more) {
    const std::lock_guard lock(state_.mutex);
    state_.end_long(slot_);
    const bool is_long = more > Milliseconds{0};
    if (is_long && state_.long_ones() >= state_.options.max_long) return false;
    const auto now = state_.clock.monotonic();
    slot_.deadline = now + state_.options.call_deadline + more;
    if (!is_long) return true;
    slot_.long_since = now;
    state_.time_changed.notify_one();
    return true;
}

Queue::Queue(Clock& clock, const QueueOptions& options, Work work)
    : state_(std::make_shared<State>(clock, options, std::move(work))) {}

Queue::~Queue() {
    stop(Milliseconds{0});
}

void Queue::start() {
    const std::lock_guard lock(state_->mutex);
    state_->add_workers();
    state_->spawn(&State::keep_time);
}

void Queue::widen(std::size_t workers) {
    const std::lock_guard lock(state_->mutex);
    state_->workers = std::max(state_->workers, workers);
    if (!state_->stopping) state_->add_workers();
}

bool Queue::stop(Milliseconds patience) {
    std::unique_lock lock(state_->mutex);
    state_->stopping = true;
    state_->ready_changed.notify_all();
    state_->time_changed.notify_all();
    return state_->thread_ended.wait_for(lock, patience, [this] { return state_->threads == 0; });
}

void Queue::poke(JailId key) {
    const std::lock_guard lock(state_->mutex);
    auto& entry = state_->entries[key];
    if (entry.running) {
        entry.poked = true;
    } else {
        state_->enqueue(key);
    }
}

void Queue::nudge(JailId key) {
    const std::lock_guard lock(state_->mutex);
    auto& entry = state_->entries[key];
    if (entry.running) {
        entry.nudged = true;
    } else if (!entry.due) {
        state_->enqueue(key);
    }
}

void Queue::again(JailId key, Milliseconds delay) {
    const std::lock_guard lock(state_->mutex);
    auto& entry = state_->entries[key];
    if (entry.queued) return;
    entry.due = state_->clock.monotonic() + delay;
    state_->time_changed.notify_one();
}

bool Queue::busy(JailId key) const {
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->entries.find(key);
    return entry != state_->entries.end() && (entry->second.running || entry->second.queued);
}

bool Queue::waiting(JailId key) const {
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->entries.find(key);
    return entry != state_->entries.end() && entry->second.due.has_value();
}

std::size_t Queue::written_off() const {
    const std::lock_guard lock(state_->mutex);
    return state_->written_off;
}

std::size_t Queue::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->threads;
}

}  // namespace jaild::reconcile
