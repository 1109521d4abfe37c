#include "core/reconcile/queue.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/catch.h"

using namespace jaild;
using jaild::reconcile::Queue;

namespace {

constexpr Milliseconds kPatience{20'000};  ///< nothing waits so long but a test that fails

/// A clock that runs only by hand.
class AtomicClock final : public Clock {
public:
    Monotonic monotonic() override { return Monotonic{} + Milliseconds{passed_.load()}; }
    UtcTime utc() override { return {}; }
    void advance(Milliseconds by) { passed_ += by.count(); }

private:
    std::atomic<std::int64_t> passed_{1'000'000};
};

/// Counts works by key; those for a closed key wait at its gate.
class Works {
public:
    void operator()(JailId key) {
        std::unique_lock lock(mutex_);
        begun_[key]++;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !closed_.contains(key) || !closed_[key]; });
        ended_[key]++;
        changed_.notify_all();
    }
    void refuse(JailId key) {
        const std::lock_guard lock(mutex_);
        refused_[key] = true;
        changed_.notify_all();
    }
    bool wait_refused(JailId key) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return refused_[key]; });
    }
    void close(JailId key) { set(key, true); }
    void open(JailId key) { set(key, false); }
    bool wait_begun(JailId key, int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return begun_[key] >= count; });
    }
    bool wait_ended(JailId key, int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return ended_[key] >= count; });
    }
    int begun(JailId key) {
        const std::lock_guard lock(mutex_);
        return begun_[key];
    }

private:
    void set(JailId key, bool closed) {
        const std::lock_guard lock(mutex_);
        closed_[key] = closed;
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<JailId, int> begun_;
    std::map<JailId, int> ended_;
    std::map<JailId, bool> closed_;
    std::map<JailId, bool> refused_;
};

constexpr JailId kWeb{1};
constexpr JailId kDb{2};
constexpr JailId kLast{99};

struct Bench {
    explicit Bench(std::size_t workers = 4, std::size_t max_written_off = 2)
        : queue(clock, {.workers = workers, .max_written_off = max_written_off, .call_deadline = Milliseconds{1'000}},
                [this](JailId key, Queue::Lease&) { works(key); }) {}
    AtomicClock clock;
    Works works;
    Queue queue;
};

}  // namespace

TEST_CASE("a key that is asked for many times while it waits is done once", "[queue]") {
    Bench bench;
    for (int n = 0; n < 100; ++n) bench.queue.poke(kWeb);
    bench.queue.start();
    REQUIRE(bench.works.wait_ended(kWeb, 1));
    bench.queue.poke(kLast);
    REQUIRE(bench.works.wait_ended(kLast, 1));
    REQUIRE(bench.queue.stop(kPatience));
    CHECK(bench.works.begun(kWeb) == 1);
}

TEST_CASE("one worker at a time for a key, and once more if it was asked for meanwhile", "[queue]") {
    Bench bench;
    bench.works.close(kWeb);
    bench.queue.start();
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    for (int n = 0; n < 10; ++n) bench.queue.poke(kWeb);
    bench.queue.poke(kDb);  // others go on
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.works.begun(kWeb) == 1);
    bench.works.open(kWeb);
    REQUIRE(bench.works.wait_ended(kWeb, 2));
    REQUIRE(bench.queue.stop(kPatience));
    CHECK(bench.works.begun(kWeb) == 2);
}

TEST_CASE("a key that is to be tried later waits for the clock, a nudge changes nothing, a poke does", "[queue]") {
    Bench bench;
    bench.queue.again(kWeb, Milliseconds{60'000});
    bench.queue.again(kDb, Milliseconds{60'000});
    bench.queue.start();
    bench.queue.nudge(kWeb);
    CHECK(bench.queue.waiting(kWeb));
    bench.queue.poke(kDb);
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.works.begun(kWeb) == 0);
    bench.clock.advance(Milliseconds{60'000});
    REQUIRE(bench.works.wait_ended(kWeb, 1));
}

TEST_CASE("a hung worker is written off and replaced, its key stays locked until it returns", "[queue][hung]") {
    Bench bench(1);
    bench.works.close(kWeb);
    bench.queue.start();
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    bench.queue.poke(kDb);  // the only worker hangs
    bench.clock.advance(Milliseconds{2'000});
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.queue.written_off() == 1);
    CHECK(bench.queue.busy(kWeb));
    bench.queue.poke(kWeb);
    bench.queue.poke(kLast);
    REQUIRE(bench.works.wait_ended(kLast, 1));
    CHECK(bench.works.begun(kWeb) == 1);

    bench.works.open(kWeb);
    REQUIRE(bench.works.wait_ended(kWeb, 2));
    REQUIRE(bench.queue.stop(kPatience));
    CHECK(bench.queue.written_off() == 0);
}

TEST_CASE("no more workers are replaced than allowed, and those that return serve on", "[queue][hung]") {
    Bench bench(1, 1);
    bench.works.close(kWeb);
    bench.works.close(kDb);
    bench.queue.start();
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    bench.clock.advance(Milliseconds{2'000});
    bench.queue.poke(kDb);
    REQUIRE(bench.works.wait_begun(kDb, 1));
    bench.queue.poke(kLast);
    bench.clock.advance(Milliseconds{2'000});
    while (bench.queue.written_off() < 2) std::this_thread::yield();
    CHECK(bench.works.begun(kLast) == 0);
    bench.works.open(kDb);
    REQUIRE(bench.works.wait_ended(kLast, 1));
    bench.works.open(kWeb);
    REQUIRE(bench.queue.stop(kPatience));
}

TEST_CASE("more workers do what one alone would leave waiting", "[queue]") {
    Bench bench(1);
    bench.works.close(kWeb);
    bench.queue.start();
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    bench.queue.poke(kDb);
    bench.queue.widen(2);
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.queue.written_off() == 0);
    bench.works.open(kWeb);
    REQUIRE(bench.queue.stop(kPatience));
}

TEST_CASE("a call that was announced as long is waited for", "[queue][hung]") {
    AtomicClock clock;
    Works works;
    works.close(kWeb);
    Queue queue(clock, {.workers = 1, .max_written_off = 2, .call_deadline = Milliseconds{1'000}},
                [&](JailId key, Queue::Lease& lease) {
                    (void)lease.expect(Milliseconds{10'000});
                    works(key);
                });
    queue.start();
    queue.poke(kWeb);
    REQUIRE(works.wait_begun(kWeb, 1));
    clock.advance(Milliseconds{5'000});
    // The timekeeper looks at the clock when something else becomes due.
    queue.again(kDb, Milliseconds{0});
    while (queue.waiting(kDb)) std::this_thread::yield();
    CHECK(queue.written_off() == 0);
    works.open(kWeb);
    REQUIRE(works.wait_ended(kDb, 1));
    REQUIRE(queue.stop(kPatience));
}

namespace {

/// One worker; what it does for kWeb and kDb may take an hour.
struct LongBench {
    explicit LongBench(std::size_t max_long = 8)
        : queue(clock,
                {.workers = 1,
                 .max_written_off = 1,
                 .call_deadline = Milliseconds{1'000},
                 .max_long = max_long,
                 .lend_after = Milliseconds{500}},
                [this](JailId key, Queue::Lease& lease) { work(key, lease); }) {
        works.close(kWeb);
        works.close(kDb);
        queue.start();
    }
    /// The timekeeper, too, must have seen that time passed: by a key that came due, and is done when a worker is free.
    JailId pass(Milliseconds time) {
        clock.advance(time);
        const JailId clock_key{100 + ++passes_};
        queue.again(clock_key, Milliseconds{0});
        while (queue.waiting(clock_key)) std::this_thread::yield();
        return clock_key;
    }
    /// Its worker has let go of it too: one that has only ended its work still has a deadline.
    bool wait_idle(JailId key) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (queue.busy(key) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        return !queue.busy(key);
    }
    bool wait_threads(std::size_t count) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (queue.threads() != count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        return queue.threads() == count;
    }
    AtomicClock clock;
    Works works;
    Queue queue;

private:
    void work(JailId key, Queue::Lease& lease) {
        const bool is_long = key == kWeb || key == kDb;
        if (is_long && !lease.expect(std::chrono::hours{1})) return works.refuse(key);
        works(key);
        (void)lease.expect(Milliseconds{0});
    }

    std::int64_t passes_ = 0;
};

}  // namespace

TEST_CASE("programs that run for hours have a substitute each, which goes when they end", "[queue][long]") {
    LongBench bench;
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    CHECK(bench.queue.threads() == 2);
    bench.queue.poke(kDb);
    bench.pass(Milliseconds{500});
    REQUIRE(bench.works.wait_begun(kDb, 1));  // the next one at it
    bench.queue.poke(kLast);
    bench.pass(Milliseconds{500});
    REQUIRE(bench.works.wait_ended(kLast, 1));
    CHECK(bench.queue.threads() == 4);
    CHECK(bench.queue.written_off() == 0);

    bench.works.open(kWeb);
    REQUIRE(bench.works.wait_ended(kWeb, 1));
    CHECK(bench.wait_threads(3));
    bench.works.open(kDb);
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.wait_threads(2));
    bench.queue.poke(kLast);
    REQUIRE(bench.works.wait_ended(kLast, 2));
    CHECK(bench.queue.stop(kPatience));
}

TEST_CASE("no more than so many at once are at something long", "[queue][long]") {
    LongBench bench(1);
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    bench.pass(Milliseconds{500});
    bench.queue.poke(kDb);
    REQUIRE(bench.works.wait_refused(kDb));
    bench.queue.poke(kLast);
    REQUIRE(bench.works.wait_ended(kLast, 1));
    bench.works.open(kWeb);
    REQUIRE(bench.works.wait_ended(kWeb, 1));
    REQUIRE(bench.wait_threads(2));  // it is told a little before its place is free
    bench.works.open(kDb);
    bench.queue.poke(kDb);
    REQUIRE(bench.works.wait_ended(kDb, 1));
    CHECK(bench.queue.stop(kPatience));
}

TEST_CASE("something long that hangs beyond its time has its substitute already", "[queue][long][hung]") {
    LongBench bench;
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    REQUIRE(bench.wait_idle(bench.pass(Milliseconds{500})));
    bench.pass(std::chrono::hours{2});
    CHECK(bench.queue.written_off() == 1);
    CHECK(bench.queue.threads() == 3);
    bench.queue.poke(kLast);
    REQUIRE(bench.works.wait_ended(kLast, 1));
    bench.works.open(kWeb);
    REQUIRE(bench.works.wait_ended(kWeb, 1));
    CHECK(bench.wait_threads(2));
    CHECK(bench.queue.written_off() == 0);
    CHECK(bench.queue.stop(kPatience));
}

TEST_CASE("what a work throws ends neither its worker nor its key", "[queue]") {
    AtomicClock clock;
    Works works;
    Queue queue(clock, {.workers = 1, .max_written_off = 2, .call_deadline = Milliseconds{1'000}},
                [&](JailId key, Queue::Lease&) {
                    works(key);
                    if (works.begun(key) == 1) throw std::runtime_error("thrown by the test");
                });
    queue.start();
    queue.poke(kWeb);
    REQUIRE(works.wait_ended(kWeb, 1));
    queue.poke(kWeb);
    REQUIRE(works.wait_ended(kWeb, 2));
    CHECK(queue.stop(kPatience));
}

TEST_CASE("stop does not wait for ever, and says so", "[queue]") {
    Bench bench;
    bench.works.close(kWeb);
    bench.queue.start();
    bench.queue.poke(kWeb);
    REQUIRE(bench.works.wait_begun(kWeb, 1));
    CHECK_FALSE(bench.queue.stop(Milliseconds{10}));
    bench.works.open(kWeb);
    CHECK(bench.queue.stop(kPatience));
}
