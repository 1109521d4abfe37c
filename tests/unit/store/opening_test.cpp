#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "core/store/connection.h"
#include "core/store/database_file.h"
#include "core/store/migrations.h"
#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

/// Enough that the file has pages of every kind in its middle.
void fill(store::Store& store) {
    REQUIRE(store.write([](store::Writer& writer) -> Result<void> {
        for (int i = 0; i < 500; ++i) {
            auto jail = writer.insert_jail(plain("jail-" + std::to_string(i)));
            if (!jail) return std::unexpected(jail.error());
        }
        return {};
    }));
}

/// A database as a stopped daemon leaves it.
void make(StateDirectory& state) {
    auto store = state.open_with_network();
    fill(*store);
}

/// SQL on the file, behind the store's back.
void meddle(const std::filesystem::path& database, const std::string& sql) {
    const auto connection = value_of(store::Connection::open(database, store::Connection::Mode::write));
    value_of(connection->script(sql));
    connection->on_close(store::Connection::OnClose::checkpoint);
}

void overwrite(const std::filesystem::path& file, std::size_t from, std::size_t count) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(from));
    stream << std::string(count, '\x5a');
    REQUIRE(stream.flush());
}

unsigned mode(const std::filesystem::path& file) {
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("the instance id is drawn once and what was written stays", "[store][open]") {
    StateDirectory state;
    auto store = state.open_with_network();
    const auto instance = store->instance();
    const auto web = insert(*store, "web");
    store.reset();

    store = state.open();
    CHECK(store->instance() == instance);
    const auto jails = all_jails(*store);
    REQUIRE(jails.size() == 1);
    CHECK(jails[0].id == web.id);
    CHECK(jails[0].spec == web.spec);
    CHECK(addresses(jails[0]) == addresses(web));
}

TEST_CASE("only the owner may read the database, its log and its lock", "[store][open]") {
    StateDirectory state;
    auto store = state.open();
    for (const std::string suffix : {"", "-wal", "-shm", ".lock"}) {
        INFO(suffix);
        CHECK(mode(state.database().string() + suffix) == 0600);
    }
    store.reset();
    REQUIRE(::chmod(state.database().c_str(), 0644) == 0);
    store = state.open();
    CHECK(mode(state.database()) == 0600);
}

TEST_CASE("a stopped daemon leaves one file that can be copied", "[store][open]") {
    StateDirectory state;
    make(state);
    CHECK_FALSE(std::filesystem::exists(state.database().string() + "-wal"));
    CHECK_FALSE(std::filesystem::exists(state.database().string() + "-shm"));
}

TEST_CASE("a second daemon on the same state directory is refused and told who has it", "[store][open]") {
    StateDirectory state;
    auto store = state.open();
    const auto error = state.refusal();
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "state_in_use");
    CHECK(error.detail.find(std::to_string(::getpid())) != std::string::npos);
    store.reset();
    CHECK(state.open());
}

TEST_CASE("what a killed daemon left locked by its children for a moment is waited for", "[store][open]") {
    StateDirectory state;
    make(state);
    const auto path = state.database().string() + ".lock";
    const pid_t killed = ::fork();
    if (killed == 0) ::_exit(0);
    REQUIRE(::waitpid(killed, nullptr, 0) == killed);
    std::ofstream(path) << killed << "\n";
    UniqueFd locked(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(locked.get(), LOCK_EX) == 0);
    std::jthread child([&] {
        // Whether the other has met the lock by then or not, it gets it.
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        locked.reset();
    });
    CHECK(state.open());
}

TEST_CASE("a newer database is refused and stays as it is", "[store][open]") {
    StateDirectory state;
    make(state);
    meddle(state.database(), "PRAGMA user_version=" + std::to_string(store::migrations().back().to + 1));
    const auto before = content(state.database());
    const auto error = state.refusal();
    CHECK(error.code == Errc::unsupported);
    CHECK(error.reason == "database_newer");
    CHECK_FALSE(error.remedy.empty());
    CHECK(content(state.database()) == before);
    CHECK_FALSE(std::filesystem::exists(state.database().string() + "-wal"));
}

TEST_CASE("a damaged database is refused with a way out and stays as it is", "[store][open]") {
    StateDirectory state;
    make(state);
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(state.database()));
    SECTION("in the middle") {
        overwrite(state.database(), size / 2, 8192);
    }
    SECTION("on the first page, behind the header") {
        overwrite(state.database(), 100, 512);
    }
    SECTION("cut off") {
        std::filesystem::resize_file(state.database(), size / 2);
    }
    SECTION("its header") {
        overwrite(state.database(), 0, 16);
    }
    const auto before = content(state.database());
    const auto error = state.refusal();
    CHECK(error.code == Errc::corrupt);
    CHECK(error.reason == "database_corrupt");
    CHECK_FALSE(error.remedy.empty());
    CHECK(content(state.database()) == before);
}

TEST_CASE("somebody else's file is refused and stays as it is", "[store][open]") {
    StateDirectory state;
    SECTION("no database at all") {
        std::ofstream(state.database()) << "name,address\nweb,10.0.0.1\n";
    }
    SECTION("another program's database") {
        std::ofstream(state.database()).flush();
        meddle(state.database(), "PRAGMA application_id=7; CREATE TABLE t (x)");
    }
    const auto before = content(state.database());
    const auto error = state.refusal();
    CHECK(error.code == Errc::corrupt);
    CHECK(error.reason == "database_corrupt");
    CHECK(content(state.database()) == before);
}

TEST_CASE("a database that is a symbolic link is refused", "[store][open]") {
    StateDirectory elsewhere;
    make(elsewhere);
    StateDirectory state;
    std::filesystem::create_symlink(elsewhere.database(), state.database());
    CHECK(state.refusal().reason == "database_not_ours");
}

TEST_CASE("a database that belongs to another user is refused", "[store][open]") {
    if (::geteuid() != 0) return;  // only root can give a file away
    StateDirectory state;
    make(state);
    REQUIRE(::chown(state.database().c_str(), 12345, static_cast<gid_t>(-1)) == 0);
    const auto error = state.refusal();
    CHECK(error.code == Errc::denied);
    CHECK(error.reason == "database_not_ours");
}

TEST_CASE("a state directory that is reached over a link works", "[store][open]") {
    StateDirectory state;
    StateDirectory elsewhere;
    std::filesystem::create_directory_symlink(elsewhere.directory.path(), state.directory.path() / "link");
    auto options = state.options();
    options.path = state.directory.path() / "link" / "jaild.db";
    CHECK(store::Store::open(options, state.clock));
}

TEST_CASE("a state directory that is not there is an error that names it", "[store][open]") {
    StateDirectory state;
    auto options = state.options();
    options.path = state.directory.path() / "missing" / "jaild.db";
    const auto error = state.refusal(options);
    CHECK(error.code == Errc::not_found);
    CHECK(error.detail.find("missing") != std::string::npos);
}

TEST_CASE("a copied state directory is refused until it is claimed", "[store][open]") {
    StateDirectory original;
    StateDirectory copy;
    auto store = original.open_with_network();
    const auto web = insert(*store, "web");
    const auto instance = store->instance();
    // With the log: what the daemon wrote last is only there.
    for (const std::string suffix : {"", "-wal"}) {
        std::filesystem::copy_file(original.database().string() + suffix, copy.database().string() + suffix);
    }
    const auto database = content(copy.database());
    const auto log = content(copy.database().string() + "-wal");
    REQUIRE_FALSE(log.empty());

    auto there = copy.options();
    there.host_identity = "another-host";
    const auto error = copy.refusal(there);
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "state_of_other_host");
    CHECK(error.remedy.find("--claim") != std::string::npos);
    CHECK(content(copy.database()) == database);
    CHECK(content(copy.database().string() + "-wal") == log);

    there.claim = true;
    auto claimed = store::Store::open(there, copy.clock);
    REQUIRE(claimed);
    const auto drawn = (*claimed)->instance();
    CHECK(drawn != instance);
    REQUIRE(all_jails(**claimed).size() == 1);
    CHECK(all_jails(**claimed)[0].id == web.id);
    claimed->reset();

    there.claim = false;
    claimed = store::Store::open(there, copy.clock);
    REQUIRE(claimed);
    CHECK((*claimed)->instance() == drawn);
}

TEST_CASE("claiming one's own state changes nothing", "[store][open]") {
    StateDirectory state;
    const auto instance = state.open()->instance();
    auto options = state.options();
    options.claim = true;
    auto store = store::Store::open(options, state.clock);
    REQUIRE(store);
    CHECK((*store)->instance() == instance);
}

TEST_CASE("an empty file and a first start that was cut short are begun anew", "[store][open]") {
    StateDirectory state;
    SECTION("empty") {
        std::ofstream(state.database()).flush();
    }
    SECTION("nothing but our mark") {
        std::ofstream(state.database()).flush();
        meddle(state.database(), "PRAGMA application_id=" + std::to_string(store::kApplicationId));
    }
    auto store = state.open_with_network();
    insert(*store, "web");
    CHECK(all_jails(*store).size() == 1);
}
