#include "core/store/transaction.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <csignal>
#include <set>
#include <thread>

#include "core/store/jails.h"
#include "core/store/opening.h"
#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store;
using namespace jaild::store_test;

namespace {

/// The writer's side alone, in memory: groups are what the test says.
struct Group {
    StillClock clock{};
    Retention keep{};
    std::unique_ptr<Connection> connection =
        value_of(open_memory({.path = ":memory:", .host_identity = "this-host"})).connection;
    GroupCommit commits{*connection, clock, keep};

    std::set<std::string> names() {
        std::set<std::string> found;
        for (const auto& jail : value_of(store::jails::all(*connection))) found.insert(jail.name.text());
        return found;
    }
};

std::function<Result<void>(store::Writer&)> inserting(const std::string& name, std::size_t padding = 0) {
    return [name, padding](store::Writer& writer) -> Result<void> {
        auto spec = plain(name);
        spec.spec.network.mode = model::NetworkMode::none;
        spec.spec.network.interfaces.clear();
        if (padding > 0) spec.spec.command = {std::string(padding, 'x')};
        auto jail = writer.insert_jail(spec);
        if (!jail) return std::unexpected(jail.error());
        auto event = writer.append_event("jail.created", name, "", "");
        if (!event) return std::unexpected(event.error());
        return {};
    };
}

/// While it lives, no file may grow beyond `bytes`: a full disk that needs no disk. RLIMIT_FSIZE gives EFBIG.
class FileSizeLimit {
public:
    explicit FileSizeLimit(std::uintmax_t bytes) {
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        const rlimit limited{.rlim_cur = static_cast<rlim_t>(bytes), .rlim_max = before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = SIG_DFL;
};

}  // namespace

TEST_CASE("one change that fails takes none of its group along", "[store][transaction]") {
    Group group;
    Change first{.work = inserting("first")};
    Change failing{.work = [](store::Writer& writer) -> Result<void> {
        if (auto done = inserting("undone")(writer); !done) return done;
        return std::unexpected(Error{.code = Errc::stale, .op = "test", .detail = "on purpose"});
    }};
    Change duplicate{.work = inserting("FIRST")};
    Change last{.work = inserting("last")};
    const auto newest = group.commits.run(std::array{&first, &failing, &duplicate, &last});
    CHECK(first.result);
    CHECK(error_of(failing.result).code == Errc::stale);
    CHECK(error_of(duplicate.result).reason == "name_in_use");
    CHECK(last.result);
    CHECK(group.names() == std::set<std::string>{"first", "last"});
    CHECK(newest.value == 2);
}

TEST_CASE("a full database: what was said to be written is there, what was not is not", "[store][transaction]") {
    Group group;
    const bool ignored = GENERATE(false, true);  // a work function that goes on after the error
    const auto pages = value_of(first_integer(group.connection->prepare("PRAGMA page_count")));
    REQUIRE(group.connection->script(fmt::format("PRAGMA max_page_count={}", pages.value() + 40)));
    std::vector<Change> changes;
    for (int i = 0; i < 60; ++i) {
        const auto name = fmt::format("j{}", i);
        changes.push_back({.work = [=](store::Writer& writer) -> Result<void> {
            auto done = inserting(name, 6000)(writer);
            if (done || !ignored) return done;
            (void)inserting(name + "-after", 10)(writer);
            return done;
        }});
    }
    std::vector<Change*> pointers;
    for (auto& change : changes) pointers.push_back(&change);
    for (std::size_t i = 0; i < pointers.size(); i += 7) {
        group.commits.run(std::span(pointers).subspan(i, std::min<std::size_t>(7, pointers.size() - i)));
    }
    std::set<std::string> acknowledged;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (changes[i].result) {
            acknowledged.insert(fmt::format("j{}", i));
        } else {
            CHECK(changes[i].result.error().code == Errc::exhausted);
            CHECK(changes[i].result.error().reason == "disk_full");
        }
    }
    CHECK_FALSE(acknowledged.empty());
    CHECK(acknowledged.size() < changes.size());
    CHECK(group.names() == acknowledged);

    REQUIRE(group.connection->script("PRAGMA max_page_count=100000"));
    Change after{.work = inserting("after")};
    group.commits.run(std::array{&after});
    CHECK(after.result);
}

TEST_CASE("when a commit finds no room, every caller is told and nothing is half done", "[store][transaction]") {
    StateDirectory state;
    auto store = state.open_with_network();
    insert(*store, "before");
    std::atomic<int> told = 0;
    {
        const FileSizeLimit full(std::filesystem::file_size(state.database().string() + "-wal"));
        std::vector<std::thread> callers;
        for (int i = 0; i < 8; ++i) {
            callers.emplace_back([&, i] {
                auto done = store->write(inserting(fmt::format("j{}", i), 20'000));
                told += !done && done.error().code == Errc::exhausted && done.error().reason == "disk_full" &&
                        done.error().remedy.contains(state.database().parent_path().string() + " (");
            });
        }
        for (auto& caller : callers) caller.join();
    }
    CHECK(told == 8);
    CHECK(all_jails(*store).size() == 1);
    value_of(store->write(inserting("after")));  // room again: it works again
    store.reset();
    store = state.open();
    CHECK(all_jails(*store).size() == 2);
}

TEST_CASE("a savepoint undoes its own part only", "[store][transaction]") {
    auto connection = value_of(Connection::open({}, Connection::Mode::memory));
    REQUIRE(connection->script("CREATE TABLE t (x INTEGER); BEGIN"));
    REQUIRE(connection->run("INSERT INTO t VALUES (?1)", 1));
    const auto inner = in_savepoint(*connection, [&]() -> Result<void> {
        if (auto done = connection->run("INSERT INTO t VALUES (?1)", 2); !done) return done;
        return std::unexpected(Error{.code = Errc::invalid, .op = "test"});
    });
    CHECK_FALSE(inner);
    REQUIRE(connection->in_transaction());
    REQUIRE(connection->run("COMMIT"));
    CHECK(value_of(first_integer(connection->prepare("SELECT sum(x) FROM t"))) == std::optional<std::int64_t>(1));
}

TEST_CASE("a statement that cannot be prepared says so at its first step", "[store][transaction]") {
    auto connection = value_of(Connection::open({}, Connection::Mode::memory));
    auto statement = connection->prepare("SELECT * FROM nowhere WHERE x = ?1", "value");
    CHECK(error_of(statement.step()).detail.find("nowhere") != std::string::npos);
}
