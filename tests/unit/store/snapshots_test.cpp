#include "core/model/snapshot.h"
#include "tests/results.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;
using jaild::test::error_of;
using jaild::test::value_of;
using model::Snapshot;
using model::SnapshotState;

namespace {

template <class T>
Result<T> change(store::Store& store, const std::function<Result<T>(store::Writer&)>& work) {
    return store::write<T>(store, work);
}

model::Jail make_jail(store::Store& store, const std::string& name) {
    return value_of(change<model::Jail>(
        store, [&](store::Writer& writer) { return writer.insert_jail(named(R"({"name": ")" + name + "\"}")); }));
}

Result<Snapshot> begin_snapshot(store::Store& store, JailId jail, const std::string& name) {
    return change<Snapshot>(store, [&](store::Writer& writer) {
        return writer.insert_snapshot(
            {.jail = jail, .name = name, .description = "why", .template_name = "host", .size = {}});
    });
}

Snapshot take_snapshot(store::Store& store, JailId jail, const std::string& name) {
    auto made = value_of(begin_snapshot(store, jail, name));
    return value_of(change<Snapshot>(store, [&](store::Writer& writer) {
        return writer.finish_snapshot(made.id, model::SnapshotSize{.entries = 7, .bytes = 1'000});
    }));
}

Result<model::Jail> change_root(store::Store& store, JailId jail, const Snapshot& from,
                                std::optional<SnapshotId> keep = {}) {
    return change<model::Jail>(store, [&](store::Writer& writer) {
        return writer.change_root(
            jail, {.from = from.id, .name = from.reference(), .from_jail = from.jail, .keep = keep}, from);
    });
}

std::vector<Snapshot> snapshots_of(store::Store& store, JailId jail) {
    return value_of(
        store::read<std::vector<Snapshot>>(store, [&](store::Reader& reader) { return reader.snapshots(jail); }));
}

}  // namespace

TEST_CASE("a snapshot comes back as it was taken", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto begun = value_of(begin_snapshot(*state.store, web.id, "before"));
    CHECK(begun.state == SnapshotState::creating);
    CHECK(begun.created_at == state.clock.now);
    CHECK_FALSE(begun.size);
    const auto made = value_of(change<Snapshot>(*state.store, [&](store::Writer& writer) {
        return writer.finish_snapshot(begun.id, model::SnapshotSize{7, 9});
    }));
    CHECK(made.reference() == "web@before");
    CHECK(made.state == SnapshotState::ready);
    CHECK(made.size == model::SnapshotSize{7, 9});
    CHECK(made.description == "why");
    const auto found = store::read<Snapshot>(
        *state.store, [&](store::Reader& reader) { return reader.find_snapshot(web.id, "BEFORE"); });
    CHECK(value_of(found) == made);
    CHECK(error_of(change<Snapshot>(*state.store, [&](store::Writer& writer) {
              return writer.finish_snapshot(begun.id, {});
          })).name() == "snapshot_not_creating");
}

TEST_CASE("the name of a snapshot is unique within its jail, until nothing is left of it", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto db = make_jail(*state.store, "db");
    const auto made = take_snapshot(*state.store, web.id, "one");
    take_snapshot(*state.store, db.id, "one");
    CHECK(error_of(begin_snapshot(*state.store, web.id, "ONE")).name() == "snapshot_exists");
    value_of(
        change<Snapshot>(*state.store, [&](store::Writer& writer) { return writer.mark_snapshot_removing(made.id); }));
    CHECK(error_of(begin_snapshot(*state.store, web.id, "one")).name() == "snapshot_exists");
    value_of(state.store->write([&](store::Writer& writer) { return writer.delete_snapshot(made.id); }));
    CHECK(value_of(begin_snapshot(*state.store, web.id, "one")).id > made.id);
}

TEST_CASE("a jail has so many snapshots and no more", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    value_of(state.store->write([&](store::Writer& writer) -> Result<void> {
        for (std::size_t i = 0; i < model::SnapshotLimits::per_jail; ++i)
            if (auto made = writer.insert_snapshot({.jail = web.id, .name = "s" + std::to_string(i), .size = {}});
                !made)
                return std::unexpected(made.error());
        return {};
    }));
    const auto error = error_of(begin_snapshot(*state.store, web.id, "one-more"));
    CHECK(error.code == Errc::exhausted);
    CHECK(error.name() == "too_many_snapshots");
}

TEST_CASE("a root that is to change keeps its snapshot, and its row says so until it is done", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto from = take_snapshot(*state.store, web.id, "one");
    const auto kept = value_of(begin_snapshot(*state.store, web.id, "kept"));
    const auto changed = value_of(change_root(*state.store, web.id, from, kept.id));
    CHECK(changed.generation == web.generation + 1);
    CHECK(changed.incarnation == web.incarnation);
    REQUIRE(changed.root_change);
    CHECK(*changed.root_change ==
          model::RootChange{.from = from.id, .name = "web@one", .from_jail = web.id, .keep = kept.id});
    const auto mark = [&] {
        return change<Snapshot>(*state.store,
                                [&](store::Writer& writer) { return writer.mark_snapshot_removing(from.id); });
    };
    CHECK(error_of(mark()).name() == "snapshot_in_use");

    SECTION("done") {
        const auto done = value_of(
            change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.end_root_change(web.id); }));
        CHECK_FALSE(done.root_change);
        CHECK(done.generation == changed.generation);
        value_of(mark());
    }
    SECTION("given up") {
        const auto undone = value_of(
            change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.undo_root_change(web.id); }));
        CHECK_FALSE(undone.root_change);
        CHECK(undone.generation == changed.generation + 1);
        CHECK(snapshots_of(*state.store, web.id).size() == 1);
    }
}

TEST_CASE("a root that is unpacked is no snapshot's, and its row says so until it is done", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto begun =
        value_of(change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.begin_unpack(web.id); }));
    CHECK(begun.unpacking());
    CHECK(begun.generation == web.generation);
    const auto going = value_of(
        change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.mark_removing(web.id); }));
    CHECK(going.root_change);
    CHECK_FALSE(going.unpacking());
    const auto done = value_of(
        change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.end_root_change(web.id); }));
    CHECK_FALSE(done.root_change);
}

TEST_CASE("a jail whose snapshot becomes another's root cannot go meanwhile", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto twin = make_jail(*state.store, "twin");
    const auto from = take_snapshot(*state.store, web.id, "one");
    value_of(change_root(*state.store, twin.id, from));
    const auto free = [&] {
        return state.store->read([&](store::Reader& reader) { return reader.check_snapshots_free(web.id); });
    };
    CHECK(error_of(free()).name() == "snapshot_in_use");
    value_of(state.store->write([&](store::Writer& writer) { return writer.delete_jail(twin.id); }));
    value_of(free());
    value_of(state.store->write([&](store::Writer& writer) { return writer.delete_jail(web.id); }));
    CHECK(snapshots_of(*state.store, web.id).empty());
}

TEST_CASE("no root is made from what is on its way out", "[store][snapshots]") {
    MemoryState state;
    const auto web = make_jail(*state.store, "web");
    const auto twin = make_jail(*state.store, "twin");
    const auto from = take_snapshot(*state.store, web.id, "one");
    SECTION("the snapshot") {
        value_of(change<Snapshot>(*state.store,
                                  [&](store::Writer& writer) { return writer.mark_snapshot_removing(from.id); }));
        CHECK(error_of(change_root(*state.store, twin.id, from)).name() == "snapshot_not_ready");
    }
    SECTION("its jail") {
        value_of(
            change<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.mark_removing(web.id); }));
        CHECK(error_of(change_root(*state.store, twin.id, from)).name() == "jail_removing");
    }
}
