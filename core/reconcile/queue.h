#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/units.h"

namespace jaild::reconcile {

struct QueueOptions {
    std::size_t workers = 8;
    std::size_t max_written_off = 8;  ///< hung workers that are replaced by a new thread
    Milliseconds call_deadline{120'000};
    /// Works that may be at something long (Lease::expect) at the same time. Each that has been at it for `lend_after`
    /// has a substitute until it is done, so that there are never fewer than `workers` for everything else.
    std::size_t max_long = 64;
    Milliseconds lend_after{10'000};
};

/// Work by key: one worker at a time for each key, many keys in parallel, a key asked for twice is done once. A worker
/// that passes its deadline is written off: another thread takes its place, and its key stays locked until it returns.
/// Thread-safe; nothing here blocks but stop().
class Queue {
    struct State;
    struct Slot;

public:
    /// What a work holds while it runs.
    class Lease {
    public:
        /// The next call may take `call_deadline` and this much more from now on; 0 ends something long. False: too
        /// many works are at something long already, this one must not begin with it.
        [[nodiscard]] bool expect(Milliseconds more);

    private:
        friend class Queue;
        Lease(State& state, Slot& slot) : state_(state), slot_(slot) {}
        State& state_;
        Slot& slot_;
    };
    /// What it throws is caught and logged by the worker.
    using Work = std::function<void(JailId, Lease&)>;

    Queue(Clock& clock, const QueueOptions& options, Work work);
    ~Queue();  ///< stop(0)
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    void start();
    /// So many workers from now on, if that is more. After start().
    void widen(std::size_t workers);
    /// No work begins any more; waits for what is under way. False: threads remain that still use what Work uses.
    bool stop(Milliseconds patience);

    /// As soon as possible, even if it was to wait. During its own work: once more after that.
    void poke(JailId key);
    /// The same, but one that waits for again() goes on waiting.
    void nudge(JailId key);
    /// Not before `delay` has passed, unless it is poked. Mostly called by its own work.
    void again(JailId key, Milliseconds delay);

    /// Under way, or about to be.
    [[nodiscard]] bool busy(JailId key) const;
    /// Waits for again().
    [[nodiscard]] bool waiting(JailId key) const;
    [[nodiscard]] std::size_t written_off() const;
    /// All that serve or are at something, and one that keeps the time.
    [[nodiscard]] std::size_t threads() const;

private:
    std::shared_ptr<State> state_;  ///< also held by each thread: a hung one may outlive this object
};

}  // namespace jaild::reconcile
