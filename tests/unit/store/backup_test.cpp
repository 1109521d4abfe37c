#include "core/store/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "core/base/unique_fd.h"
#include "core/store/connection.h"
#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

/// The database as one file, and back.

using namespace jaild;
using namespace jaild::store_test;

namespace {

std::string read_all(int file) {
    std::string all;
    std::string block(65'536, '\0');
    for (;;) {
        const auto count = ::read(file, block.data(), block.size());
        REQUIRE(count >= 0);
        if (count == 0) return all;
        all.append(block, 0, static_cast<std::size_t>(count));
    }
}

std::filesystem::path save(const StateDirectory& state, const std::string& bytes) {
    const auto path = state.directory.path() / "backup";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

Result<store::Restored> restore_from(const StateDirectory& state, const std::filesystem::path& backup,
                                     store::Existing existing = store::Existing::refuse, store::UsedIds used = {}) {
    const UniqueFd file(::open(backup.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    return store::restore({.database = state.database(),
                           .source = file.get(),
                           .host_identity = state.options().host_identity,
                           .existing = existing,
                           .used = std::move(used)});
}

std::size_t files_in(const StateDirectory& state) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(state.directory.path())) {
        (void)entry;
        count++;
    }
    return count;
}

}  // namespace

TEST_CASE("a backup is the whole database, made while others write, and leaves nothing behind", "[store][backup]") {
    StateDirectory state;
    auto store = state.open_with_network();
    insert(*store, "web");
    std::atomic<bool> enough{false};
    std::atomic<int> written{0};
    std::thread writer([&] {
        while (!enough) {
            append(*store);
            written++;
        }
    });
    const auto before = files_in(state);
    std::string bytes;
    for (int round = 0; round < 5; ++round) {
        const auto file = value_of(store->back_up());
        bytes = read_all(file.get());
    }
    enough = true;
    writer.join();
    CHECK(written > 0);
    CHECK(files_in(state) == before);
    const auto instance = store->instance();
    store.reset();

    StateDirectory other;
    const auto restored = value_of(restore_from(other, save(other, bytes)));
    CHECK(restored.jails == 1);
    CHECK(restored.networks == 1);
    CHECK(restored.kept.empty());
    const auto again = other.open();
    CHECK(again->instance() == instance);
    CHECK(all_jails(*again).at(0).name.text() == "web");
}

TEST_CASE("a store in memory has no backup", "[store][backup]") {
    const MemoryState state;
    CHECK(error_of(state.store->back_up()).name() == "no_backup");
}

TEST_CASE("a restore is refused while a daemon runs, and over a database that is wanted", "[store][backup]") {
    StateDirectory state;
    auto store = state.open_with_network();
    const auto backup = save(state, read_all(value_of(store->back_up()).get()));
    insert(*store, "later");
    CHECK(error_of(restore_from(state, backup, store::Existing::keep_beside)).name() == "state_in_use");
    store.reset();
    CHECK(error_of(restore_from(state, backup)).name() == "database_exists");
    CHECK(all_jails(*state.open()).size() == 1);

    const auto restored = value_of(restore_from(state, backup, store::Existing::keep_beside));
    CHECK(all_jails(*state.open()).empty());
    REQUIRE(std::filesystem::exists(restored.kept));
    // What was there is whole, and can be put back in the same way.
    const auto back = value_of(restore_from(state, restored.kept, store::Existing::keep_beside));
    CHECK(back.jails == 1);
    CHECK(back.kept != restored.kept);
}

TEST_CASE("what was killed with commits in its log keeps them when it is set aside", "[store][backup]") {
    StateDirectory state;
    const auto backup = save(state, read_all(value_of(state.open_with_network()->back_up()).get()));
    {
        // As after SIGKILL: the log lies beside the file.
        auto connection = value_of(store::Connection::open(state.database(), store::Connection::Mode::write));
        value_of(connection->run("INSERT INTO meta (key, value) VALUES ('mark', 'in the log')"));
    }
    auto log = state.database();
    log += "-wal";
    REQUIRE(std::filesystem::file_size(log) > 0);
    const auto restored = value_of(restore_from(state, backup, store::Existing::keep_beside));
    CHECK_FALSE(std::filesystem::exists(log));
    const auto kept = value_of(store::Connection::open(restored.kept, store::Connection::Mode::read_only));
    const auto mark = value_of(store::first_text(kept->prepare("SELECT value FROM meta WHERE key = 'mark'")));
    CHECK(mark == "in the log");
}

TEST_CASE("ids go on beyond those of the backup, of the old database and of the state directory", "[store][backup]") {
    StateDirectory state;
    auto store = state.open_with_network();
    const auto backup = save(state, read_all(value_of(store->back_up()).get()));
    const auto last = append(*store);
    for (int number = 0; number < 5; ++number) insert(*store, "jail-" + std::to_string(number));
    store.reset();
    value_of(restore_from(state, backup, store::Existing::keep_beside));
    store = state.open();
    CHECK(insert(*store, "next").id.value > 5);
    CHECK(append(*store).value > last.value);
    store.reset();

    value_of(restore_from(state, backup, store::Existing::keep_beside, {{"jails", 70'000}, {"templates", 3}}));
    CHECK(insert(*state.open(), "far").id.value > 70'000);
}

TEST_CASE("what is no backup, is damaged, of a newer jaild or of another host is refused, and nothing is changed",
          "[store][backup]") {
    StateDirectory state;
    auto store = state.open_with_network();
    insert(*store, "web");
    const auto bytes = read_all(value_of(store->back_up()).get());
    store.reset();
    const auto before = content(state.database());
    const auto refused = [&](const std::string& data) {
        auto error = error_of(restore_from(state, save(state, data), store::Existing::keep_beside));
        CHECK(content(state.database()) == before);
        return std::string(error.name());
    };
    CHECK(refused("") == "database_corrupt");
    CHECK(refused("no database at all") == "database_corrupt");
    CHECK(refused(bytes.substr(0, bytes.size() / 2)) == "database_corrupt");
    auto damaged = bytes;
    damaged.replace(8'192, 4'096, std::string(4'096, '\x5a'));
    CHECK(refused(damaged) == "database_corrupt");
    auto foreign = bytes;
    foreign[68] = 'x';  // the application id
    CHECK(refused(foreign) == "database_corrupt");
    auto newer = bytes;
    newer[60] = 1;  // the schema's version
    CHECK(refused(newer) == "database_newer");

    const auto backup = save(state, bytes);
    const UniqueFd file(::open(backup.c_str(), O_RDONLY | O_CLOEXEC));
    const store::RestoreOptions elsewhere{.database = state.database(),
                                          .source = file.get(),
                                          .host_identity = "another machine",
                                          .existing = store::Existing::keep_beside};
    CHECK(error_of(store::restore(elsewhere)).name() == "state_of_other_host");
    CHECK(content(state.database()) == before);
}
