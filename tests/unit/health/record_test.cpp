#include "core/health/record.h"

#include "tests/catch.h"

using namespace jaild;
using model::HealthState;
using std::chrono::seconds;

namespace {

/// A record and the time that a test controls.
struct Watched {
    explicit Watched(health::Begin begin, model::HealthSpec asked = {}) : spec(asked), record(begin, now, utc()) {}

    void probe(bool good, Milliseconds after = Milliseconds{0}) {
        now += after;
        record.count(spec, {.good = good, .message = good ? "" : "connection refused\n"}, now, utc());
    }
    [[nodiscard]] UtcTime utc() const {
        return {std::chrono::duration_cast<Milliseconds>(now.time_since_epoch()).count()};
    }
    [[nodiscard]] HealthState state() const { return record.status().state; }
    [[nodiscard]] Milliseconds next() const { return record.next(spec, now); }

    model::HealthSpec spec;
    Clock::Monotonic now{seconds{1'000}};
    health::Record record;
};

}  // namespace

TEST_CASE("a jail is healthy when a probe succeeds once, and unhealthy when so many fail in a row", "[health]") {
    Watched jail(health::Begin::fresh);
    CHECK(jail.state() == HealthState::starting);
    jail.probe(true, seconds{1});
    CHECK(jail.state() == HealthState::healthy);
    CHECK(jail.record.status().since == jail.utc());
    jail.probe(false);
    jail.probe(false);
    CHECK(jail.state() == HealthState::healthy);
    CHECK(jail.record.status().failures == 2);
    CHECK(jail.record.status().message == "connection refused?");
    jail.probe(true);
    CHECK(jail.record.status().failures == 0);
    CHECK(jail.record.status().message.empty());
    jail.probe(false);
    jail.probe(false);
    jail.probe(false, seconds{5});
    CHECK(jail.state() == HealthState::unhealthy);
    CHECK(jail.record.ran() == seconds{6});
    const auto since = jail.record.status().since;
    jail.probe(false, seconds{5});
    CHECK(jail.record.status().since == since);
    jail.probe(true);
    CHECK(jail.state() == HealthState::healthy);
}

TEST_CASE("what fails while a jail comes up does not count, and it is asked again soon", "[health]") {
    Watched jail(health::Begin::fresh, {.interval = seconds{30}, .retries = 1, .start_period = seconds{10}});
    std::vector<std::int64_t> waits;
    for (int count = 0; count < 6; ++count) {
        jail.probe(false);
        waits.push_back(jail.next().count());
    }
    CHECK(waits == std::vector<std::int64_t>{100, 200, 400, 800, 1000, 1000});
    CHECK(jail.state() == HealthState::starting);
    CHECK(jail.record.status().failures == 0);
    CHECK(jail.record.status().message == "connection refused?");
    SECTION("until its time is over") {
        jail.probe(false, seconds{10});
        CHECK(jail.state() == HealthState::unhealthy);
        CHECK(jail.next() == seconds{30});
    }
    SECTION("or it was healthy once") {
        jail.probe(true);
        CHECK(jail.next() == seconds{30});
        jail.probe(false);
        CHECK(jail.state() == HealthState::unhealthy);
    }
}

TEST_CASE("a jail that ran before somebody looked has no time to come up", "[health]") {
    Watched jail(health::Begin::adopted, {.retries = 2});
    jail.probe(false);
    CHECK(jail.state() == HealthState::starting);
    CHECK(jail.record.status().failures == 1);
    jail.probe(false);
    CHECK(jail.state() == HealthState::unhealthy);
}
