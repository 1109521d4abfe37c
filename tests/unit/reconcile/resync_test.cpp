#include <cerrno>
#include <new>
#include <utility>

#include "core/reconcile/repairs.h"
#include "tests/unit/reconcile/house.h"

/// What a resync goes on with whatever it meets.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Remains;
using jaild::model::JailState;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("a network that cannot be made keeps nobody else's jail from starting", "[reconcile][resync]") {
    House house;
    const auto lonely = house.create(R"({"name":"lonely","network":{"mode":"none"}})");
    const auto web = house.create(R"({"name":"web"})");
    house.kernel.faults().always("links.ensure_bridge", EPERM);

    CHECK(error_of(house.reconciler->resync()).sys == EPERM);
    CHECK(house.reconciler->readiness().ready);
    CHECK(house.status(lonely).state == JailState::running);
    CHECK(house.operation(lonely) == "succeeded");
    CHECK(house.status(web).state == JailState::failed);
    CHECK(house.condition(web, "Ready")->message.find("bridge") != std::string::npos);

    REQUIRE(house.kernel.hand().kill_jail(lonely.id, Remains::corpse));
    REQUIRE_FALSE(house.reconciler->resync());
    CHECK(house.events("drift.repaired").size() == 1);

    house.kernel.faults().clear();
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
}

TEST_CASE("rules that cannot be listed degrade their network, and are no error of a resync", "[reconcile][resync]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    house.kernel.faults().always("firewall.list", EIO);
    value_of(house.reconciler->resync());
    CHECK(house.reconciler->readiness().ready);
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.condition(web, "NatMissing"));
}

TEST_CASE("a bridge of no network is cleared away though the rules cannot be listed", "[reconcile][resync]") {
    House house;
    auto stranger = store_test::network("stranger", "10.99.0.0/24", "fd00:99::/64");
    stranger.id = NetworkId{7};
    value_of(house.kernel.links().ensure_bridge(stranger));
    house.kernel.faults().always("firewall.list", EIO);
    value_of(house.reconciler->resync());
    CHECK(house.kernel.state().bridges.empty());
}

TEST_CASE("a jail whose files cannot be read fails alone", "[reconcile][resync]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    const auto db = house.create(R"({"name":"db"})");
    value_of(house.reconciler->resync());
    house.kernel.hook = [&](std::string_view call, JailId id) -> Result<void> {
        if (call == "roots.prepared" && id == web.id) return std::unexpected(Error::from_errno("openat", EIO));
        return {};
    };
    REQUIRE(house.kernel.hand().kill_jail(db.id, Remains::corpse));

    CHECK(error_of(house.reconciler->resync()).sys == EIO);
    CHECK(house.status(web).state == JailState::failed);
    CHECK(house.status(db).state == JailState::running);
    CHECK(house.events("drift.repaired").size() == 1);

    house.kernel.hook = nullptr;
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
}

TEST_CASE("a jail that is removed while a resync looks at it is forgotten, its address with it",
          "[reconcile][resync]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    house.remove(web);
    bool removed = false;
    house.kernel.hook = [&](std::string_view call, JailId id) -> Result<void> {
        // Its row was read; now it goes.
        if (call == "roots.prepared" && !std::exchange(removed, true)) return house.reconciler->reconcile(id);
        return {};
    };
    value_of(house.reconciler->resync());
    REQUIRE(store_test::all_jails(*house.state.store).empty());

    const auto db = house.create(R"({"name":"db"})");
    REQUIRE(db.addresses() == web.addresses());
    value_of(house.reconciler->reconcile(db.id));
    CHECK(house.status(db).state == JailState::running);
}

TEST_CASE("what is remembered of a jail without a row goes with the next resync", "[reconcile][resync]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    // Gone for everybody but the board: as when a resync had put a removed jail back on it.
    value_of(house.state.store->write([&](store::Writer& writer) { return writer.delete_jail(web.id); }));
    REQUIRE(house.kernel.hand().kill_jail(web.id, Remains::corpse));
    REQUIRE(house.reconciler->status(web.id) != model::JailStatus{});
    value_of(house.reconciler->resync());
    CHECK(house.reconciler->status(web.id) == model::JailStatus{});
    const auto db = house.create(R"({"name":"db"})");
    value_of(house.reconciler->reconcile(db.id));
    CHECK(house.status(db).state == JailState::running);
}

TEST_CASE("what is thrown in a round is a failure like others", "[reconcile][resync]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    const auto db = house.create(R"({"name":"db"})");
    house.kernel.hook = [&](std::string_view, JailId id) -> Result<void> {
        if (id == web.id) throw std::bad_alloc();
        return {};
    };
    CHECK(error_of(house.reconciler->reconcile(web.id)).reason == "exception");
    CHECK(house.status(web).state == JailState::failed);
    value_of(house.reconciler->reconcile(db.id));
    house.kernel.hook = nullptr;
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::running);
}

TEST_CASE("a jail that is disturbed for ever is mended each time, and told of less and less", "[reconcile][drift]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    const auto every_5_s = [&](int count, const auto& disturb) {
        for (int n = 0; n < count; ++n) {
            REQUIRE(disturb());
            value_of(house.reconciler->resync());
            house.clock.passed += Milliseconds{5'000};
        }
    };
    every_5_s(12 * 60, [&] { return house.kernel.hand().delete_address(web.id); });
    CHECK(house.status(web).state == JailState::running);
    // Three at once, then after 1, 3, 7, 15 and 31 minutes.
    CHECK(house.events("drift.repaired").size() == 8);
    CHECK(house.events("drift.repaired").front() == R"({"jail":"web","steps":["ensure_link vnet0"]})");
    CHECK(house.events("drift.repaired").back() == R"({"jail":"web","steps":["ensure_link vnet0"],"times":192})");

    SECTION("something else is told of at once") {
        REQUIRE(house.kernel.hand().set_hostname(web.id, "stranger"));
        value_of(house.reconciler->resync());
        CHECK(house.events("drift.repaired").size() == 9);
    }
    SECTION("and the same again after a quiet hour") {
        house.clock.passed += std::chrono::hours{2};
        every_5_s(1, [&] { return house.kernel.hand().delete_address(web.id); });
        CHECK(house.events("drift.repaired").size() == 9);
        house.clock.passed += std::chrono::hours{2};
        every_5_s(13, [&] { return house.kernel.hand().delete_address(web.id); });
        CHECK(house.events("drift.repaired").size() == 13);
    }
    SECTION("a network too") {
        every_5_s(24, [&] { return house.kernel.hand().flush_rules(NetworkId{1}); });
        CHECK(house.events("drift.repaired").size() == 12);
    }
}

TEST_CASE("a jail that invents ever new things to repair does not fill the events either", "[reconcile][drift]") {
    reconcile::Repairs repairs;
    std::size_t told = 0;
    for (int n = 0; n < 1'000; ++n) {
        const std::vector<std::string> steps{"unmount root/" + std::to_string(n)};
        if (repairs.due(steps, {})) ++told;
        repairs.made(steps, {});
    }
    CHECK(told < 20);
}

TEST_CASE("raising the host's forwarding is an event", "[reconcile][network]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.events("host.forwarding_enabled") ==
          std::vector<std::string>{R"({"family":"ipv4","network":"default"})",
                                   R"({"family":"ipv6","network":"default"})"});
    value_of(house.reconciler->resync());
    CHECK(house.events("host.forwarding_enabled").size() == 2);
}
