#include "core/store/recover.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "core/store/connection.h"
#include "core/store/migrations.h"
#include "core/store/records.h"
#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

/// Records of what the database knows, and the database from them.

using namespace jaild;
using namespace jaild::store_test;

namespace {

namespace fs = std::filesystem;

struct RecordedState : StateDirectory {
    [[nodiscard]] fs::path records() const { return directory.path() / "records"; }
    [[nodiscard]] fs::path record(const std::string& name) const { return records() / (name + ".json"); }
    std::unique_ptr<store::Store> open_recorded() {
        auto options = this->options();
        options.records = records();
        options.on_record_problem = [](const Error& error) { FAIL(error.to_string()); };
        return value_of(store::Store::open(options, clock));
    }
    /// With the network `default`, two jails and a template; nobody has it open afterwards.
    void fill() {
        auto store = open_recorded();
        value_of(store->write([](store::Writer& writer) -> Result<void> {
            auto made = writer.insert_network(network("default", "10.213.0.0/24", "fd12:3456:789a::/64"));
            if (!made) return std::unexpected(made.error());
            return {};
        }));
        insert(*store, named(R"({"name":"web","exec":{"env":{"TOKEN":{"value":"s3cret","secret":true}}}})"));
        insert(*store, "db");
    }
    void lose_database() const {
        for (const auto* ending : {"jaild.db", "jaild.db-wal", "jaild.db-shm"}) fs::remove(directory.path() / ending);
    }
    Result<store::Recovered> recover(const store::UsedIds& used = {},
                                     store::Existing existing = store::Existing::refuse) const {
        return store::recover({.database = database(),
                               .records = records(),
                               .host_identity = options().host_identity,
                               .existing = existing,
                               .used = used});
    }
};

void write_text(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

bool says(const store::Recovered& recovered, const std::string& word) {
    return std::ranges::any_of(recovered.lost,
                               [&](const std::string& line) { return line.find(word) != std::string::npos; });
}

}  // namespace

TEST_CASE("a lost database is made again from its records", "[store][recover]") {
    RecordedState state;
    state.fill();
    auto store = state.open_recorded();
    const auto before = all_jails(*store);
    const auto instance = store->instance();
    store.reset();
    state.lose_database();

    const auto recovered = value_of(state.recover());
    CHECK(recovered.lost.empty());
    CHECK(recovered.jails == std::set{JailId{1}, JailId{2}});
    CHECK(recovered.networks == 1);
    CHECK(recovered.kept.empty());
    store = state.open_recorded();
    CHECK(store->instance() == instance);
    const auto after = all_jails(*store);
    REQUIRE(after.size() == before.size());
    for (std::size_t at = 0; at < after.size(); ++at) {
        INFO(after[at].name.text());
        CHECK(after[at].id == before[at].id);
        CHECK(after[at].spec == before[at].spec);
        CHECK(after[at].generation == before[at].generation);
        CHECK(after[at].incarnation == before[at].incarnation);
        CHECK(after[at].created_at == before[at].created_at);
        CHECK(addresses(after[at]) == addresses(before[at]));
    }
    // Ids and addresses go on without meeting those that were given.
    const auto next = insert(*store, "next");
    CHECK(next.id.value > 2);
    CHECK(addresses(next) != addresses(after[0]));
    CHECK(addresses(next) != addresses(after[1]));
}

TEST_CASE("records follow every change, and are nobody else's to read", "[store][recover]") {
    RecordedState state;
    state.fill();
    struct stat status {};
    REQUIRE(::stat(state.record("jails/1").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    REQUIRE(::stat(state.records().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(content(state.record("jails/1")).find("s3cret") != std::string::npos);

    auto store = state.open_recorded();
    value_of(store->write([](store::Writer& writer) { return writer.delete_jail(JailId{2}); }));
    value_of(store->write([](store::Writer& writer) -> Result<void> {
        auto changed = writer.request_restart(JailId{1});
        if (!changed) return std::unexpected(changed.error());
        return {};
    }));
    store.reset();
    CHECK_FALSE(fs::exists(state.record("jails/2")));
    state.lose_database();
    CHECK(value_of(state.recover()).jails == std::set{JailId{1}});
    CHECK(all_jails(*state.open()).at(0).incarnation == 2);
}

TEST_CASE("what a crash kept from being written is written by the next daemon", "[store][recover]") {
    RecordedState state;
    state.fill();
    {
        const auto unrecorded = state.open();
        insert(*unrecorded, "late");
        value_of(unrecorded->write([](store::Writer& writer) { return writer.delete_jail(JailId{1}); }));
    }
    write_text(state.record("jails/2"), "torn");
    CHECK_FALSE(fs::exists(state.record("jails/3")));
    state.open_recorded().reset();
    CHECK(fs::exists(state.record("jails/3")));
    CHECK_FALSE(fs::exists(state.record("jails/1")));
    state.lose_database();
    CHECK(value_of(state.recover()).lost.empty());
    CHECK(all_jails(*state.open()).size() == 2);
}

TEST_CASE("with an older database put back, the records of trees that it does not know stay", "[store][recover]") {
    RecordedState state;
    state.fill();
    fs::create_directories(state.directory.path() / "jails" / "2");
    {
        const auto unrecorded = state.open();
        for (const auto id : {JailId{1}, JailId{2}})
            value_of(unrecorded->write([id](store::Writer& writer) { return writer.delete_jail(id); }));
    }
    auto store = state.open_recorded();
    insert(*store, "new");
    store.reset();
    CHECK(fs::exists(state.record("jails/2")));
    CHECK_FALSE(fs::exists(state.record("jails/1")));
    fs::remove(state.directory.path() / "jails" / "2");
    state.open_recorded().reset();
    CHECK_FALSE(fs::exists(state.record("jails/2")));
}

TEST_CASE("what is damaged is left out and told of, with all that needs it", "[store][recover]") {
    RecordedState state;
    state.fill();
    state.lose_database();
    const auto network = content(state.record("networks/1"));
    const auto web = content(state.record("jails/1"));

    SECTION("a record that is none") {
        write_text(state.record("jails/1"), "{");
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails == std::set{JailId{2}});
        CHECK(says(recovered, "jails/1"));
    }
    SECTION("a spec that cannot be read") {
        auto broken = web;
        broken.replace(broken.find("s3cret"), 6, R"(\u0001\")");
        write_text(state.record("jails/1"), broken);
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails == std::set{JailId{2}});
        CHECK(says(recovered, "jails/1 (web)"));
        CHECK_FALSE(says(recovered, "s3cret"));
    }
    SECTION("two of one name") {
        auto twin = web;
        for (auto at = twin.find("\"id\": 1"); at != std::string::npos; at = twin.find("\"id\": 1"))
            twin.replace(at, 7, "\"id\": 9");
        write_text(state.record("jails/9"), twin);
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails == std::set{JailId{1}, JailId{2}});
        CHECK(says(recovered, "jails/9 (web)"));
    }
    SECTION("the network") {
        fs::remove(state.record("networks/1"));
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails.empty());
        CHECK(says(recovered, "jails/1 (web)"));
        CHECK(says(recovered, "network"));
    }
    SECTION("columns and tables that are none") {
        write_text(
            state.record("jails/1"),
            R"({"format":1,"schema":8,"name":"x","rows":{"jails":[{"id) VALUES (1); DROP TABLE jails; --":1}]}})");
        write_text(state.record("jails/2"), R"({"format":1,"schema":8,"name":"x","rows":{"sqlite_master":[{"a":1}]}})");
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails.empty());
        CHECK(recovered.lost.size() == 2);
    }
    SECTION("members of other types") {
        write_text(state.record("jails/1"), R"({"format":"1","schema":"8","name":3,"rows":{}})");
        write_text(state.record("jails/2"), R"({"format":1,"schema":8,"name":"x","rows":{"jails":[{"id":1.5}]}})");
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails.empty());
        CHECK(recovered.lost.size() == 2);
    }
    SECTION("what says whose it is") {
        fs::remove(state.record("meta"));
        const auto recovered = value_of(state.recover());
        CHECK(recovered.jails.size() == 2);
        CHECK(says(recovered, "instance"));
    }
    CHECK(state.open()->read([](store::Reader& reader) -> Result<void> {
        auto jails = reader.all_jails();
        if (!jails) return std::unexpected(jails.error());
        return {};
    }));
}

TEST_CASE("a recovery is refused without need, and changes nothing then", "[store][recover]") {
    RecordedState state;
    CHECK(error_of(state.recover()).name() == "no_records");
    state.fill();
    {
        const auto held = state.open();
        CHECK(error_of(state.recover({}, store::Existing::keep_beside)).name() == "state_in_use");
    }
    CHECK(error_of(state.recover()).name() == "database_exists");
    auto newer = content(state.record("jails/1"));
    const auto schema = newer.find("\"schema\": ");
    REQUIRE(schema != std::string::npos);
    write_text(state.record("jails/1"), newer.replace(schema, 11, "\"schema\": 9999"));
    CHECK(error_of(state.recover({}, store::Existing::keep_beside)).name() == "database_newer");
    CHECK(all_jails(*state.open()).size() == 2);

    state.open_recorded().reset();
    const auto recovered = value_of(state.recover({{"jails", 500}}, store::Existing::keep_beside));
    CHECK(fs::exists(recovered.kept));
    CHECK(insert(*state.open(), "next").id.value > 500);
    const auto elsewhere = error_of(store::recover({.database = state.database(),
                                                    .records = state.records(),
                                                    .host_identity = "another machine",
                                                    .existing = store::Existing::keep_beside}));
    CHECK(elsewhere.name() == "state_of_other_host");
}

TEST_CASE("records of an older jaild come along with its migrations", "[store][recover]") {
    RecordedState state;
    // As one of schema 1 would have written them.
    fs::create_directories(state.records() / "networks");
    fs::create_directories(state.records() / "jails");
    write_text(state.record("meta"),
               R"({"format":1,"schema":1,"name":"","rows":{"meta":[{"key":"instance","value":"abcde"},)"
               R"({"key":"host_identity","value":")" +
                   state.options().host_identity + R"("}]}})");
    write_text(state.record("networks/1"),
               R"({"format":1,"schema":1,"name":"default","rows":{"networks":[{"id":1,"name":"default",)"
               R"("ipv4":"10.213.0.0/24","ipv6":"fd12:3456:789a::/64","nat":1,"mtu":1500}],"pools":[)"
               R"({"network":1,"family":4,"lowest":{"hex":"0ad50002"}},)"
               R"({"network":1,"family":6,"lowest":{"hex":"fd123456789a00000000000000000002"}}]}})");
    write_text(
        state.record("jails/7"),
        R"({"format":1,"schema":1,"name":"old","rows":{"jails":[{"id":7,"name":"old","root_path":null,"spec":"{}",)"
        R"("generation":3,"incarnation":2,"removing":0,"created_at":1000}],"addresses":[)"
        R"({"network":1,"family":4,"address":{"hex":"0ad50002"},"jail":7},)"
        R"({"network":1,"family":6,"address":{"hex":"fd123456789a00000000000000000002"},"jail":7}]}})");
    const auto recovered = value_of(state.recover());
    for (const auto& line : recovered.lost) UNSCOPED_INFO(line);
    REQUIRE(recovered.jails == std::set{JailId{7}});
    const auto store = state.open();
    CHECK(store->instance().text() == "abcde");
    const auto jail = all_jails(*store).at(0);
    CHECK(jail.generation == 3);
    CHECK(addresses(jail) == "10.213.0.2/24 fd12:3456:789a::2/64");
}
