#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <set>

#include "tests/unit/reconcile/house.h"

/// The reconciler with its threads.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Remains;
using jaild::model::JailState;
using jaild::test::value_of;

namespace {

/// Waits for statuses; a house whose reconciler runs.
class LivingHouse {
public:
    House house{};

    explicit LivingHouse(reconcile::ReconcilerOptions options = {}) { start_anew(options); }
    ~LivingHouse() { CHECK(house.reconciler->stop()); }

    /// A daemon that came back and remembers nothing; it is to be started.
    void start_anew(reconcile::ReconcilerOptions options = {}) {
        options.resync = Milliseconds{20};
        options.slow_resync = Milliseconds{20};
        house.reconciler =
            std::make_unique<reconcile::Reconciler>(*house.state.store, house.kernel, Clock::system(), options);
        house.reconciler->on_status([this](JailId) {
            const std::lock_guard lock(mutex_);
            changed_.notify_all();
        });
    }

    bool wait(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        std::unique_lock lock(mutex_);
        // Also looked at without a word: events and readiness have no listener here.
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            changed_.wait_for(lock, Milliseconds{20});
        }
        return true;
    }
    bool wait_state(const model::Jail& jail, JailState state) {
        return wait([&] { return house.status(jail).state == state; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace

TEST_CASE("from the first start to the last jail, many at once", "[reconcile][threads]") {
    LivingHouse living;
    auto& house = living.house;
    const auto first = house.create(R"({"name":"first"})");
    CHECK_FALSE(house.reconciler->readiness().ready);
    house.reconciler->start();
    REQUIRE(living.wait([&] { return house.reconciler->readiness().ready; }));
    CHECK(house.status(first).state == JailState::running);

    std::vector<model::Jail> jails;
    for (int n = 0; n < 30; ++n)
        jails.push_back(house.create(R"({"name":"jail)" + std::to_string(n) + R"(","command":["sleep","inf"]})"));
    for (const auto& jail : jails) REQUIRE(living.wait_state(jail, JailState::running));
    for (const auto& jail : jails) house.remove(jail);
    REQUIRE(living.wait([&] { return store_test::all_jails(*house.state.store).size() == 1; }));
    for (const auto& jail : jails) CHECK(house.operation(jail) == "succeeded");
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("nobody is told of a jail that lives before it was looked at", "[reconcile][threads]") {
    std::atomic<int> looks = 0;
    std::atomic<int> may_look = 0;
    LivingHouse living;
    auto& house = living.house;
    const auto web = house.settled(R"({"name":"web"})");
    REQUIRE(house.kernel.hand().set_hostname(web.id, "stranger"));
    living.start_anew();
    house.kernel.hook = [&](std::string_view call, JailId) -> Result<void> {
        if (call != "roots.prepared") return {};
        const int look = ++looks;
        for (int may = may_look; may < look; may = may_look) may_look.wait(may);
        return {};
    };
    house.reconciler->start();
    // By the sweep, and by the round of its own that mends it.
    for (int look = 1; look <= 2; ++look) {
        REQUIRE(living.wait([&] { return looks >= look; }));
        CHECK_FALSE(house.reconciler->readiness().looked);
        may_look = look == 1 ? 1 : 1'000'000;
        may_look.notify_all();
    }
    CHECK(living.wait([&] { return house.reconciler->readiness().looked; }));
    CHECK(house.status(web).state == JailState::running);
    CHECK(living.wait([&] { return house.reconciler->readiness().ready; }));
    CHECK(house.reconciler->readiness().looked);
}

TEST_CASE("a jail that is to be started keeps nobody waiting for word of the others", "[reconcile][threads]") {
    std::atomic<bool> starts = false;
    LivingHouse living;
    auto& house = living.house;
    const auto web = house.create(R"({"name":"web","exec":{"start":["true"]}})");
    house.kernel.hook = [&](std::string_view call, JailId) -> Result<void> {
        if (call == "processes.run") starts.wait(false);
        return {};
    };
    house.reconciler->start();
    CHECK(living.wait([&] { return house.reconciler->readiness().looked; }));
    CHECK_FALSE(house.reconciler->readiness().ready);
    CHECK(house.status(web).state == JailState::starting);
    starts = true;
    starts.notify_all();
    CHECK(living.wait([&] { return house.reconciler->readiness().ready; }));
}

TEST_CASE("one who writes faster than a round is done makes nothing fail", "[reconcile]") {
    House house;
    const auto web = house.settled(R"({"name":"web"})");
    REQUIRE(house.kernel.hand().set_hostname(web.id, "stranger"));
    house.kernel.hook = [&](std::string_view call, JailId id) -> Result<void> {
        if (call == "roots.mounts") house.reconciler->poke(id);
        return {};
    };
    REQUIRE(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.events("drift.repaired").size() == 1);
    CHECK(house.events("step.failed").empty());
}

TEST_CASE("what dies by itself is brought back without being asked for", "[reconcile][threads][drift]") {
    LivingHouse living;
    auto& house = living.house;
    const auto web = house.create(R"({"name":"web"})");
    house.reconciler->start();
    REQUIRE(living.wait_state(web, JailState::running));
    REQUIRE(living.wait([&] { return house.operation(web) == "succeeded"; }));

    REQUIRE(house.kernel.hand().kill_jail(web.id, Remains::corpse));
    REQUIRE(living.wait([&] { return house.events("drift.repaired").size() == 1; }));
    REQUIRE(house.kernel.hand().flush_rules(NetworkId{1}));
    REQUIRE(living.wait([&] { return house.events("drift.repaired").size() == 2; }));
    CHECK(living.wait_state(web, JailState::running));
}

TEST_CASE("a failing jail is tried again later, others do not wait for it", "[reconcile][threads]") {
    LivingHouse living;
    auto& house = living.house;
    REQUIRE(house.kernel.hand().take_name("web"));
    const auto web = house.create(R"({"name":"web"})");
    const auto db = house.create(R"({"name":"db"})");
    house.reconciler->start();
    REQUIRE(living.wait_state(db, JailState::running));
    REQUIRE(living.wait_state(web, JailState::failed));
    REQUIRE(house.kernel.hand().give_name_back("web"));
    CHECK(living.wait_state(web, JailState::running));  // after a second, by itself
}

TEST_CASE("a resync that ends by an exception is not the last one", "[reconcile][threads]") {
    LivingHouse living;
    auto& house = living.house;
    const auto web = house.create(R"({"name":"web"})");
    std::atomic<bool> throws = false;
    std::atomic<int> thrown = 0;
    house.kernel.hook = [&](std::string_view call, JailId) -> Result<void> {
        // Only a resync asks this of a jail that is as it should be.
        if (call != "roots.mounts" || !throws) return {};
        ++thrown;
        throw std::bad_alloc();
    };
    house.reconciler->start();
    REQUIRE(living.wait_state(web, JailState::running));
    REQUIRE(living.wait([&] { return house.operation(web) == "succeeded"; }));
    throws = true;
    REQUIRE(living.wait([&] { return thrown > 0; }));
    throws = false;
    REQUIRE(house.kernel.hand().set_hostname(web.id, "stranger"));
    CHECK(living.wait([&] { return house.events("drift.repaired").size() == 1; }));
}

TEST_CASE("a halt of many jails at once, and one that was on its way", "[reconcile][threads][halt]") {
    LivingHouse living;
    auto& house = living.house;
    std::vector<model::Jail> jails;
    for (int n = 0; n < 40; ++n)
        jails.push_back(house.create(R"({"name":"jail)" + std::to_string(n) + R"(","command":["sleep","inf"]})"));
    house.reconciler->start();
    REQUIRE(living.wait_state(jails.front(), JailState::running));

    CHECK(value_of(house.reconciler->halt(std::chrono::seconds{30})).empty());
    for (const auto& jail : jails) CHECK(house.status(jail).state == JailState::stopped);
    CHECK(house.kernel.state().prisons.empty());
    CHECK(house.kernel.violations().empty());
}

namespace {

/// Programs of the user's that do not end until they are let go.
class EndlessPrograms {
public:
    Result<void> operator()(std::string_view call, JailId id) {
        std::unique_lock lock(mutex_);
        if (call == "processes.interrupt") interrupted_.insert(id);
        changed_.notify_all();
        if (call != "processes.run" || free_) return {};
        ++waiting_;
        changed_.wait(lock, [&] { return free_ || interrupted_.erase(id) > 0; });
        --waiting_;
        if (free_) return {};
        return std::unexpected(Error{.code = Errc::busy, .op = "shim", .reason = "interrupted"});
    }
    void let_go() {
        const std::lock_guard lock(mutex_);
        free_ = true;
        changed_.notify_all();
    }
    std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<JailId> interrupted_;
    std::size_t waiting_ = 0;
    bool free_ = false;
};

}  // namespace

TEST_CASE("programs of the user's that do not end hold up nobody else, nor the removal of their own jail",
          "[reconcile][threads][long]") {
    constexpr std::size_t kJails = 12;  // more than there are workers
    EndlessPrograms programs;
    LivingHouse living({.lend_after = Milliseconds{10}});
    auto& house = living.house;
    house.kernel.hook = [&](std::string_view call, JailId id) { return programs(call, id); };
    house.reconciler->start();
    std::vector<model::Jail> stuck;
    for (std::size_t n = 0; n < kJails; ++n)
        stuck.push_back(house.create(R"({"name":"stuck)" + std::to_string(n) +
                                     R"(","network":{"mode":"none"},"exec":{"start":["sleep"],"timeout":86400}})"));
    REQUIRE(living.wait([&] { return programs.waiting() == kJails; }));

    const auto web = house.create(R"({"name":"web"})");
    CHECK(living.wait_state(web, JailState::running));
    CHECK(house.reconciler->readiness().written_off == 0);

    const auto gone = house.remove(stuck.front());
    house.reconciler->interrupt(gone.id);
    CHECK(living.wait([&] { return house.operation(gone) == "succeeded"; }));
    CHECK(programs.waiting() == kJails - 1);
    programs.let_go();
}

namespace {

/// Calls of that name do not return until they are let go.
class HungCalls {
public:
    explicit HungCalls(std::string call) : call_(std::move(call)) {}
    Result<void> operator()(std::string_view call, JailId id) {
        std::unique_lock lock(mutex_);
        if (call != call_ || !jails_.contains(id)) return {};
        ++hanging_;
        changed_.wait(lock, [&] { return jails_.empty(); });
        --hanging_;
        return {};
    }
    void hang(JailId id) {
        const std::lock_guard lock(mutex_);
        jails_.insert(id);
    }
    void let_go() {
        const std::lock_guard lock(mutex_);
        jails_.clear();
        changed_.notify_all();
    }
    std::size_t hanging() {
        const std::lock_guard lock(mutex_);
        return hanging_;
    }

private:
    const std::string call_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<JailId> jails_;
    std::size_t hanging_ = 0;
};

}  // namespace

TEST_CASE("calls of the kernel that hang hold up their own jails alone, and are told of",
          "[reconcile][threads][long]") {
    constexpr std::size_t kJails = 12;  // more than there are workers
    const std::string call = GENERATE("mounts.unmount", "jails.remove", "mounts.mount", "jails.create");
    CAPTURE(call);
    const bool starts = call == "mounts.mount" || call == "jails.create";
    HungCalls calls(call);
    LivingHouse living({.max_written_off = 2 * kJails, .call_deadline = Milliseconds{200}});
    auto& house = living.house;
    house.kernel.hook = [&](std::string_view met, JailId id) { return calls(met, id); };
    house.reconciler->start();
    std::vector<model::Jail> stuck;
    for (std::size_t n = 0; n < kJails; ++n)
        stuck.push_back(house.create(R"({"name":"stuck)" + std::to_string(n) + R"(","running":)" +
                                     (starts ? "false" : "true") + "}"));
    for (const auto& jail : stuck) REQUIRE(living.wait_state(jail, starts ? JailState::stopped : JailState::running));
    for (auto& jail : stuck) {
        calls.hang(jail.id);
        jail = house.change(jail, [&](model::JailSpec& spec) { spec.running = starts; });
    }
    REQUIRE(living.wait([&] { return calls.hanging() == kJails; }));

    auto web = house.create(R"({"name":"web"})");
    CHECK(living.wait_state(web, JailState::running));
    web = house.stop(web);
    CHECK(living.wait_state(web, JailState::stopped));
    const auto condition = [&] { return house.condition(stuck.back(), "StepTakesLong"); };
    REQUIRE(living.wait([&] { return condition() && condition()->reason == "Hangs"; }));
    CHECK(condition()->status);
    INFO(condition()->message);
    CHECK(condition()->message.find(starts
                                        ? (call == "jails.create" ? "create_jail" : "mount")
                                        : (call == "jails.remove" ? "remove_jail" : "unmount")) != std::string::npos);
    CHECK(condition()->message.find(" s") != std::string::npos);

    calls.let_go();
    for (const auto& jail : stuck) CHECK(living.wait_state(jail, starts ? JailState::running : JailState::stopped));
    CHECK(living.wait([&] { return !condition(); }));
    CHECK(house.kernel.violations().empty());
}
