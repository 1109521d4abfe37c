#include "core/pool_keeper.h"

#include <algorithm>

#include "tests/catch.h"
#include "tests/results.h"

/// Pools are filled, and what is wrong with them is tried again later.

using namespace jaild;
using jaild::model::JailState;
using jaild::test::value_of;

namespace {

class PoolClock final : public Clock {
public:
    Monotonic monotonic() override { return Monotonic{} + std::chrono::hours{1} + passed; }
    UtcTime utc() override { return UtcTime{1'795'000'000'000 + passed.count()}; }
    Milliseconds passed{0};
};

struct Ponds {
    PoolClock clock{};
    std::vector<model::Pool> pools{};
    std::vector<model::Jail> jails{};
    int made = 0;
    PoolKeeper keeper{clock,
                      {.pools = [this] { return pools; },
                       .jails = [this] { return jails; },
                       .make = [this](const model::Pool& pool) -> Result<void> {
                           ++made;
                           model::Jail jail{.id = JailId{made},
                                            .name = value_of(model::Name::parse("j" + std::to_string(made)))};
                           jail.pool = model::PoolMark{.id = pool.id, .generation = pool.jail_generation, .name = "ci"};
                           jail.status.state = JailState::starting;
                           jails.push_back(std::move(jail));
                           return {};
                       },
                       .remove =
                           [this](const model::Jail& gone) {
                               std::erase_if(jails, [&](const auto& one) { return one.id == gone.id; });
                           }}};

    explicit Ponds(unsigned size) {
        pools.push_back({.id = PoolId{1}, .name = value_of(model::Name::parse("ci")), .spec = {.size = size}});
    }
    void all_are(JailState state) {
        for (auto& jail : jails) jail.status.state = state;
    }
};

}  // namespace

TEST_CASE("a pool is filled, a few at a time", "[pools]") {
    Ponds ponds(6);
    CHECK(ponds.keeper.settle());
    CHECK(ponds.jails.size() == PoolKeeper::kAtOnce);
    ponds.all_are(JailState::running);
    CHECK(ponds.keeper.settle());
    CHECK(ponds.jails.size() == 6);
    CHECK(ponds.keeper.status(ponds.pools.front()).ready == 4);
    CHECK(ponds.keeper.status(ponds.pools.front()).coming == 2);
    ponds.all_are(JailState::running);
    CHECK_FALSE(ponds.keeper.settle());
    CHECK(ponds.made == 6);
}

TEST_CASE("what is too much, of an earlier kind, or of no pool goes", "[pools]") {
    Ponds ponds(3);
    ponds.keeper.settle();
    ponds.all_are(JailState::running);
    ponds.pools.front().spec.size = 1;
    ponds.keeper.settle();
    CHECK(ponds.jails.size() == 1);
    ponds.pools.front().jail_generation = 2;
    ponds.keeper.settle();
    REQUIRE(ponds.jails.size() == 1);
    CHECK(ponds.jails.front().pool->generation == 2);
    ponds.pools.clear();
    ponds.keeper.settle();
    CHECK(ponds.jails.empty());
}

TEST_CASE("jails that do not come up are tried again later and later", "[pools]") {
    Ponds ponds(2);
    ponds.keeper.settle();
    int before = ponds.made;
    for (const auto wait : {1, 2, 4, 8}) {
        ponds.all_are(JailState::failed);
        ponds.keeper.settle();
        CHECK(ponds.jails.empty());
        CHECK(ponds.keeper.status(ponds.pools.front()).failure == "it does not come up");
        REQUIRE(ponds.keeper.status(ponds.pools.front()).next_try);
        ponds.clock.passed += std::chrono::seconds{wait} - Milliseconds{1};
        ponds.keeper.settle();
        CHECK(ponds.made == before);
        ponds.clock.passed += Milliseconds{1};
        ponds.keeper.settle();
        CHECK(ponds.made == before + 2);
        before = ponds.made;
    }
    ponds.all_are(JailState::running);
    ponds.keeper.settle();
    CHECK(ponds.keeper.status(ponds.pools.front()).failure.empty());
}
