#include "core/reconcile/lifetimes.h"

#include "tests/unit/reconcile/house.h"

/// Jails that go by themselves.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::model::JailState;
using jaild::reconcile::Lifetimes;
using jaild::reconcile::Standing;
using jaild::test::value_of;
using std::chrono::seconds;

namespace {

bool is_gone(House& house, const model::Jail& jail) {
    const auto row = store::read<model::Jail>(*house.state.store, [&](store::Reader& r) { return r.jail(jail.id); });
    return !row && row.error().code == Errc::not_found;
}

void pass(House& house, Milliseconds time) {
    house.clock.passed += time;
    value_of(house.reconciler->resync());
}

model::Jail row_of(std::int64_t id, std::optional<model::EphemeralSpec> ephemeral, Milliseconds ttl = {}) {
    model::Jail row{.id = JailId{id}, .name = value_of(model::Name::parse("j" + std::to_string(id)))};
    row.spec.ephemeral = ephemeral;
    row.spec.ttl = ttl;
    return row;
}

}  // namespace

TEST_CASE("an ephemeral jail goes when its command has ended, and its end is told", "[reconcile][lifetimes]") {
    House house;
    const auto job = house.settled(R"({"name":"job","ephemeral":true,"command":["sleep","1000"]})");
    const auto other = house.settled(R"({"name":"other","command":["sleep","1000"]})");
    pass(house, std::chrono::hours{48});
    CHECK(house.status(job).state == JailState::running);

    REQUIRE(house.kernel.hand().end_command(job.id, 5));
    REQUIRE(house.kernel.hand().end_command(other.id, 5));
    value_of(house.reconciler->resync());
    CHECK(is_gone(house, job));
    CHECK_FALSE(is_gone(house, other));
    REQUIRE(house.events("command.ended").size() == 2);
    CHECK(house.events("command.ended").front().find("\"exit_code\":5") != std::string::npos);
    REQUIRE(house.events("jail.removing").size() == 1);
    CHECK(house.events("jail.removing").front().find("\"why\":\"ended\"") != std::string::npos);
}

TEST_CASE("an ephemeral jail whose command is run again stays until that is given up", "[reconcile][lifetimes]") {
    House house;
    const auto job = house.settled(
        R"({"name":"job","ephemeral":{"grace":1},"command":["sleep","1000"],"restart":{"policy":"always","delay":60,"max_retries":1}})");
    REQUIRE(house.kernel.hand().end_command(job.id, 5));
    value_of(house.reconciler->resync());
    pass(house, seconds{30});
    CHECK(house.status(job).state == JailState::running);
    REQUIRE(house.kernel.hand().end_command(job.id, 5));
    pass(house, seconds{5});
    value_of(house.reconciler->resync());
    CHECK(is_gone(house, job));
}

TEST_CASE("an ephemeral jail without a command goes when nobody has been in it for its grace",
          "[reconcile][lifetimes]") {
    House house;
    const auto box = house.settled(R"({"name":"box","ephemeral":{"grace":30}})");
    pass(house, seconds{29});
    {
        const auto hold = house.reconciler->hold(box.id);
        REQUIRE(hold);
        pass(house, std::chrono::hours{1});
        CHECK(house.status(box).state == JailState::running);
        house.start_anew();  // its clients are gone with the daemon: a grace from here
    }
    pass(house, seconds{1});
    pass(house, seconds{29});
    CHECK(house.status(box).state == JailState::running);
    pass(house, seconds{2});
    CHECK(is_gone(house, box));
    CHECK(house.events("jail.removing").front().find("\"why\":\"unused\"") != std::string::npos);
}

TEST_CASE("a stop of an ephemeral jail is its end, and it is no longer one when its row says so",
          "[reconcile][lifetimes]") {
    House house;
    const auto box = house.settled(R"({"name":"box","ephemeral":true})");
    const auto made = house.settled(R"({"name":"kept","ephemeral":true})");
    const auto kept = house.change(made, [](model::JailSpec& spec) { spec.ephemeral.reset(); });
    house.stop(box);
    house.stop(kept);
    value_of(house.reconciler->resync());
    value_of(house.reconciler->resync());
    CHECK(is_gone(house, box));
    CHECK_FALSE(is_gone(house, kept));
}

TEST_CASE("a halt of the host ends no ephemeral jail's row", "[reconcile][lifetimes]") {
    House house;
    const auto box = house.settled(R"({"name":"box","ephemeral":true})");
    value_of(house.reconciler->halt(seconds{45}));
    pass(house, seconds{60});
    CHECK_FALSE(is_gone(house, box));
}

TEST_CASE("a time to live counts on the monotonic clock, from the row's beginning", "[reconcile][lifetimes]") {
    HandClock clock;
    const auto lives = std::make_shared<Lifetimes>(clock);
    auto row = row_of(1, {}, seconds{100});
    row.since = clock.now().monotonic;
    lives->learn(row);
    REQUIRE(lives->next());
    CHECK(*lives->next() == clock.monotonic() + seconds{100});
    clock.passed += seconds{99};
    CHECK(lives->claim_due().empty());
    clock.passed += seconds{1};
    const auto due = lives->claim_due();
    REQUIRE(due.size() == 1);
    CHECK(due.front().why == "ttl");
    CHECK_FALSE(Lifetimes::hold(lives, JailId{1}));

    SECTION("what cannot go now is named again later") {
        lives->kept(JailId{1}, seconds{2});
        CHECK(Lifetimes::hold(lives, JailId{1}));
        CHECK(lives->claim_due().empty());
        clock.passed += seconds{2};
        CHECK(lives->claim_due().size() == 1);
    }
    SECTION("what is going is named no more") {
        lives->going(JailId{1});
        clock.passed += seconds{100};
        CHECK(lives->claim_due().empty());
        CHECK_FALSE(lives->next());
    }
}

TEST_CASE("what was read before a change says nothing of a jail", "[reconcile][lifetimes]") {
    HandClock clock;
    const auto lives = std::make_shared<Lifetimes>(clock);
    auto now = row_of(1, {});
    now.generation = 2;
    lives->learn(now);
    lives->learn(row_of(1, model::EphemeralSpec{}), Standing::done);
    CHECK(lives->claim_due().empty());
}

TEST_CASE("after a start of the host ephemeral jails of before go, and a ttl is counted on", "[store][lifetimes]") {
    House house;
    value_of(reconcile::begin_boot(*house.state.store, "first"));
    const auto box = house.settled(R"({"name":"box","ephemeral":true})");
    const auto timed = house.settled(R"({"name":"timed","ttl":3600})");
    value_of(reconcile::begin_boot(*house.state.store, "first"));
    value_of(house.reconciler->reconcile(box.id));
    CHECK(house.status(box).state == JailState::running);

    value_of(reconcile::begin_boot(*house.state.store, "second"));
    house.start_anew();
    value_of(house.reconciler->reconcile(box.id));
    value_of(house.reconciler->reconcile(timed.id));
    CHECK(is_gone(house, box));
    CHECK(house.status(timed).state == JailState::running);
    CHECK(house.events("jail.removing").front().find("\"why\":\"host_restarted\"") != std::string::npos);
}
