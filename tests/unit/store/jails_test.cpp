#include <algorithm>

#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

Result<model::Jail> find(store::Store& store, const std::string& name) {
    return store::read<model::Jail>(store,
                                    [&](store::Reader& reader) { return reader.jail(*model::Name::parse(name)); });
}

Result<model::Jail> update(store::Store& store, JailId id, const model::JailSpec& spec) {
    return store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.update_jail(id, spec); });
}

Result<model::Jail> mark_removing(store::Store& store, JailId id) {
    return store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.mark_removing(id); });
}

std::vector<std::string> names(store::Store& store, const store::JailFilter& filter) {
    auto jails =
        store::read<std::vector<model::Jail>>(store, [&](store::Reader& reader) { return reader.jails(filter); });
    REQUIRE(jails);
    std::vector<std::string> found;
    for (const auto& jail : *jails) found.push_back(jail.name.text());
    return found;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a jail comes back as it was asked for, its secrets too", "[store][jails]") {
    MemoryState state;
    const auto spec = named(R"({"name": "web", "hostname": "w", "labels": {"tier": "front", "é": "\"'; --"},
        "command": ["/bin/sleep", "9"], "exec": {"env": {"TOKEN": {"value": "s3cret", "secret": true}}}})");
    const auto made = insert(*state.store, spec);
    CHECK(made.generation == 1);
    CHECK(made.incarnation == 1);
    CHECK(made.created_at == state.clock.now);
    CHECK_FALSE(made.removing);
    const auto found = find(*state.store, "WEB");  // names are unique without regard to case
    REQUIRE(found);
    CHECK(found->id == made.id);
    CHECK(found->name.text() == "web");
    CHECK(found->spec == spec.spec);
    CHECK(found->spec.exec.env.at("TOKEN").value == "s3cret");
}

TEST_CASE("a jail that is not there is not found", "[store][jails]") {
    MemoryState state;
    CHECK(find(*state.store, "web").error().reason == "jail_not_found");
    CHECK(update(*state.store, JailId{7}, {}).error().reason == "jail_not_found");
    CHECK(mark_removing(*state.store, JailId{7}).error().reason == "jail_not_found");
    const auto erased = state.store->write([](store::Writer& writer) { return writer.delete_jail(JailId{7}); });
    CHECK(erased.error().reason == "jail_not_found");
}

TEST_CASE("a name is taken without regard to case, until nothing of its jail is left", "[store][jails]") {
    MemoryState state;
    const auto web = insert(*state.store, "web");
    const auto error = insert_refused(*state.store, plain("Web"));
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "name_in_use");
    CHECK(error.field == "/name");

    REQUIRE(mark_removing(*state.store, web.id));
    CHECK(mark_removing(*state.store, web.id)->removing);
    CHECK(insert_refused(*state.store, plain("web")).reason == "name_in_use");

    REQUIRE(state.store->write([&](store::Writer& writer) { return writer.delete_jail(web.id); }));
    const auto again = insert(*state.store, "web");
    CHECK(again.id > web.id);  // ids name directories and interfaces: never used twice
}

TEST_CASE("each change of the spec is a generation, each asked restart an incarnation", "[store][jails]") {
    MemoryState state;
    auto jail = insert(*state.store, "web");
    jail.spec.running = false;
    auto changed = update(*state.store, jail.id, jail.spec);
    REQUIRE(changed);
    CHECK(changed->generation == 2);
    CHECK(changed->incarnation == 1);
    CHECK_FALSE(changed->spec.running);
    auto restarted =
        store::write<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.request_restart(jail.id); });
    REQUIRE(restarted);
    CHECK(restarted->generation == 2);
    CHECK(restarted->incarnation == 2);
    REQUIRE(mark_removing(*state.store, jail.id));
    CHECK(update(*state.store, jail.id, jail.spec).error().reason == "jail_removing");
}

TEST_CASE("no circle of dependencies is ever stored", "[store][jails][dependencies]") {
    MemoryState state;
    insert(*state.store, named(R"({"name": "web", "depends_on": ["App"]})"));
    const auto app = insert(*state.store, named(R"({"name": "app", "depends_on": ["db"]})"));
    CHECK(insert_refused(*state.store, named(R"({"name": "db", "depends_on": ["WEB"]})")).reason == "dependency_cycle");
    const auto db = insert(*state.store, named(R"({"name": "db"})"));
    auto spec = db.spec;
    spec.depends_on = {"web"};
    CHECK(update(*state.store, db.id, spec).error().reason == "dependency_cycle");
    SECTION("the same names in another order of time") {
        auto free = app.spec;
        free.depends_on.clear();
        REQUIRE(update(*state.store, app.id, free));
        CHECK(update(*state.store, db.id, spec));
    }
    SECTION("one that goes away holds nobody up") {
        REQUIRE(mark_removing(*state.store, app.id));
        CHECK(update(*state.store, db.id, spec));
    }
}

TEST_CASE("two jails cannot have the same directory for their root", "[store][jails]") {
    MemoryState state;
    const auto first = insert(*state.store, named(R"({"name": "a", "root": {"kind": "path", "path": "/srv/a"}})"));
    const auto same = named(R"({"name": "b", "root": {"kind": "path", "path": "/srv/a"}})");
    const auto error = insert_refused(*state.store, same);
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "path_in_use");
    CHECK(error.field == "/root/path");
    CHECK(update(*state.store, first.id, first.spec));  // its own is no conflict

    REQUIRE(state.store->write([&](store::Writer& writer) { return writer.delete_jail(first.id); }));
    insert(*state.store, same);
}

TEST_CASE("jails are listed by id, by template, by all labels that are asked for, and in pages", "[store][jails]") {
    MemoryState state;
    auto& store = *state.store;
    insert(store, named(R"({"name": "a", "labels": {"tier": "front", "env": "prod"}})"));
    const auto b = insert(store, named(R"({"name": "b", "labels": {"tier": "front", "env": "test"}})"));
    insert(store, named(R"({"name": "c", "root": {"kind": "path", "path": "/srv/c"}})"));
    insert(store, named(R"({"name": "d", "labels": {"we ird.$[0]\"key": "x"}})"));
    CHECK(names(store, {}) == Names{"a", "b", "c", "d"});
    CHECK(names(store, {.labels = {{"tier", "front"}}}) == Names{"a", "b"});
    CHECK(names(store, {.labels = {{"tier", "front"}, {"env", "test"}}}) == Names{"b"});
    CHECK(names(store, {.labels = {{"tier", "front"}, {"env", "dev"}}}).empty());
    CHECK(names(store, {.labels = {{"we ird.$[0]\"key", "x"}}}) == Names{"d"});
    CHECK(names(store, {.labels = {{"tier", "\xff\xfe"}}}).empty());
    CHECK(names(store, {.template_name = "host"}) == Names{"a", "b", "d"});
    CHECK(names(store, {.template_name = "none"}).empty());
    CHECK(names(store, {.limit = 2}) == Names{"a", "b"});
    CHECK(names(store, {.after = b.id, .limit = 1}) == Names{"c"});
    REQUIRE(mark_removing(store, b.id));
    CHECK(names(store, {}) == Names{"a", "b", "c", "d"});
}

TEST_CASE("a refused change leaves nothing behind, also when the caller goes on after it", "[store][jails]") {
    MemoryState state({}, "10.213.0.0/30");  // one address to give away
    REQUIRE(state.store->write([](store::Writer& writer) -> Result<void> {
        auto fits = writer.insert_jail(plain("fits"));
        auto none_left = writer.insert_jail(plain("none-left"));
        CHECK(fits.has_value());
        CHECK(none_left.error().reason == "addresses_exhausted");
        return {};
    }));
    CHECK(names(*state.store, {}) == Names{"fits"});
}

TEST_CASE("networks are kept by name", "[store][networks]") {
    MemoryState state;
    auto made = store::write<model::Network>(*state.store, [](store::Writer& writer) {
        auto wanted = network("Lab", "192.0.2.77/26", "fd00:1::/64");
        wanted.nat.on = false;
        wanted.mtu = 9000;
        return writer.insert_network(wanted);
    });
    REQUIRE(made);
    CHECK(made->id.value == 2);
    const auto found =
        store::read<model::Network>(*state.store, [](store::Reader& reader) { return reader.network("lab"); });
    REQUIRE(found);
    CHECK(found->ipv4->to_string() == "192.0.2.64/26");
    CHECK_FALSE(found->nat.on);
    CHECK(found->mtu == 9000);
    const auto twice = store::write<model::Network>(*state.store, [](store::Writer& writer) {
        return writer.insert_network(network("LAB", "192.0.2.128/26", "fd00:2::/64"));
    });
    CHECK(twice.error().reason == "network_exists");
    const auto missing =
        store::read<model::Network>(*state.store, [](store::Reader& reader) { return reader.network("none"); });
    CHECK(missing.error().reason == "network_not_found");
    const auto all =
        store::read<std::vector<model::Network>>(*state.store, [](store::Reader& reader) { return reader.networks(); });
    CHECK(all->size() == 2);
}

TEST_CASE("a secret does not outlive its jail in the database's file", "[store][secrets]") {
    StateDirectory state;
    const std::string secret = "only-" + std::to_string(12345) + "-for-this-jail";
    {
        const auto store = state.open_with_network();
        const auto jail = insert(
            *store, named(R"({"name":"web","exec":{"env":{"TOKEN":{"value":")" + secret + R"(","secret":true}}}})"));
        value_of(store->write([&](store::Writer& writer) { return writer.delete_jail(jail.id); }));
    }
    CHECK(content(state.database()).find(secret) == std::string::npos);
}
