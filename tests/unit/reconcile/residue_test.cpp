#include <algorithm>

#include "core/kernel/names.h"
#include "tests/unit/reconcile/house.h"

/// What bears our mark and has no row: what is told of it, and what an administrator has removed.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Remains;
using jaild::model::Leftover;
using jaild::model::LeftoverKind;
using jaild::reconcile::Reconciler;
using jaild::test::value_of;

namespace {

/// As after an old database was put back.
void lose(House& house, const model::Jail& jail) {
    value_of(house.state.store->write([&](store::Writer& writer) { return writer.delete_jail(jail.id); }));
}

std::size_t count(const std::vector<Leftover>& items, LeftoverKind kind) {
    return static_cast<std::size_t>(std::ranges::count(items, kind, &Leftover::kind));
}

}  // namespace

TEST_CASE("where all is owned there is no residue", "[reconcile][residue]") {
    House house;
    house.settled(R"({"name":"web"})");
    CHECK(value_of(house.reconciler->residue(Reconciler::Remove::no)).empty());
    CHECK(value_of(house.reconciler->residue(Reconciler::Remove::yes)).empty());
    CHECK(house.kernel.state().prisons.size() == 1);
    CHECK(house.events("residue.removed").empty());
}

TEST_CASE("a jail that nobody knows is listed whole, and removed whole when that is asked for",
          "[reconcile][residue]") {
    House house;
    const auto web = house.settled(R"({"name":"web"})");
    const auto lost = house.settled(R"({"name":"lost","limits":{"maxproc":{"amount":20}}})");
    lose(house, lost);
    value_of(house.reconciler->resync());
    const auto before = house.kernel.state();
    const auto whole = house.kernel.describe();

    const auto listed = value_of(house.reconciler->residue(Reconciler::Remove::no));
    CHECK(count(listed, LeftoverKind::jail) == 1);
    CHECK(count(listed, LeftoverKind::interface) == 1);
    CHECK(count(listed, LeftoverKind::process) == 1);
    CHECK(count(listed, LeftoverKind::limits) == 1);
    CHECK(count(listed, LeftoverKind::directory) == 1);
    CHECK(count(listed, LeftoverKind::mount) > 0);
    for (const auto& item : listed) {
        INFO(item.object);
        CHECK(item.owner == "jail 2");
        CHECK(item.kept);
        CHECK_FALSE(item.removed);
    }
    CHECK(house.kernel.describe() == whole);

    const auto removed = value_of(house.reconciler->residue(Reconciler::Remove::yes));
    CHECK(removed.size() == listed.size());
    for (const auto& item : removed) {
        INFO(item.object << ' ' << item.problem);
        CHECK(item.removed == true);
    }
    CHECK(house.kernel.state().prisons.size() == 1);
    CHECK(house.kernel.state().directories.size() == 1);
    CHECK(house.kernel.state().limits.empty());
    CHECK(house.kernel.state().foreign == before.foreign);
    CHECK(house.events("residue.removed").size() == 1);
    CHECK(house.status(web).state == model::JailState::running);
    CHECK(value_of(house.reconciler->residue(Reconciler::Remove::no)).empty());
}

TEST_CASE("limits on a name that has a row again are that row's", "[reconcile][residue]") {
    House house;
    const auto lost = house.settled(R"({"name":"web","limits":{"maxproc":{"amount":20}}})");
    lose(house, lost);
    house.create(R"({"name":"web","running":false})");
    const auto removed = value_of(house.reconciler->residue(Reconciler::Remove::yes));
    CHECK(count(removed, LeftoverKind::jail) == 1);
    CHECK(count(removed, LeftoverKind::limits) == 0);
    CHECK(house.kernel.state().limits.size() == 1);
}

TEST_CASE("limits outlive their jail and its row, and go by the name that its directory knows",
          "[reconcile][residue]") {
    House house;
    const auto lost = house.settled(R"({"name":"lost","limits":{"maxproc":{"amount":20}}})");
    REQUIRE(house.kernel.hand().add_limit("other", {.resource = "nthr", .limit = {.amount = 1, .action = "log"}}));
    lose(house, lost);
    REQUIRE(house.kernel.hand().kill_jail(lost.id, Remains::nothing));
    REQUIRE(house.kernel.hand().kill_shim(lost.id));
    REQUIRE(house.kernel.state().limits.contains("lost"));
    SECTION("as soon as they are found") {
        value_of(house.reconciler->resync());
        CHECK_FALSE(house.kernel.state().limits.contains("lost"));
        const auto told = house.events("residue.removed");
        REQUIRE(told.size() == 1);
        CHECK(told[0].contains("limits lost"));
    }
    SECTION("unless somebody else's jail has the name by now") {
        REQUIRE(house.kernel.hand().take_name("lost"));
        value_of(house.reconciler->resync());
        CHECK(count(value_of(house.reconciler->residue(Reconciler::Remove::yes)), LeftoverKind::limits) == 0);
        CHECK(house.kernel.state().limits.contains("lost"));
    }
    SECTION("unless a row has the name again") {
        house.create(R"({"name":"Lost","running":false})");
        CHECK(count(value_of(house.reconciler->residue(Reconciler::Remove::yes)), LeftoverKind::limits) == 0);
        CHECK(house.kernel.state().limits.contains("lost"));
    }
    // A name that we never gave a jail is not even looked at.
    CHECK(house.kernel.state().limits.contains("other"));
}

TEST_CASE("what cannot be removed says why, and the rest goes all the same", "[reconcile][residue]") {
    House house;
    const auto lost = house.settled(R"({"name":"lost"})");
    const auto other = house.settled(R"({"name":"other"})");
    lose(house, lost);
    lose(house, other);
    REQUIRE(house.kernel.hand().mount_extra(lost.id, "root/mnt"));
    house.kernel.faults().always("mounts.unmount", EBUSY);
    const auto removed = value_of(house.reconciler->residue(Reconciler::Remove::yes));
    const auto left = [&](const Leftover& item) { return item.removed == false; };
    CHECK(std::ranges::any_of(removed, left));
    for (const auto& item : removed)
        if (left(item)) CHECK_FALSE(item.problem.empty());
    CHECK(house.kernel.state().prisons.empty());
    CHECK(house.kernel.state().directories.size() == 2);  // never deleted beneath a mount

    house.kernel.faults().clear();
    CHECK(std::ranges::none_of(value_of(house.reconciler->residue(Reconciler::Remove::yes)), left));
    CHECK(house.kernel.state().directories.empty());
}

TEST_CASE("what a network left is listed, and goes", "[reconcile][residue]") {
    House house;
    auto gone = store_test::network("gone", "10.99.0.0/24", "fd00:99::/64");
    gone.id = NetworkId{7};
    value_of(house.kernel.links().ensure_bridge(gone));
    value_of(house.kernel.firewall().apply(gone));
    const auto instance = house.state.store->instance();
    const auto listed = value_of(house.reconciler->residue(Reconciler::Remove::no));
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].kind == LeftoverKind::rules);
    CHECK(listed[1].object == kernel::bridge_name(instance, gone.id));
    CHECK_FALSE(listed[1].kept);
    for (const auto& item : value_of(house.reconciler->residue(Reconciler::Remove::yes))) CHECK(item.removed == true);
    CHECK(house.kernel.state().bridges.empty());
}
