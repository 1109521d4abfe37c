#include "core/kernel/roots/snapshot_directories.h"

#include <map>
#include <sstream>

#include "core/base/files.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

constexpr JailId kTaken{1};
constexpr JailId kMadeOf{2};
constexpr SnapshotId kFirst{7};
constexpr SnapshotId kKept{8};

void put(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

std::map<std::string, std::string> contents(const fs::path& tree) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        std::ostringstream text;
        if (entry.is_regular_file()) text << std::ifstream(entry.path()).rdbuf();
        all[entry.path().lexically_relative(tree)] = text.str();
    }
    return all;
}

/// What is mounted is what the test says.
class SaidMounts : public kernel::Mounts {
public:
    std::vector<kernel::ObservedMount> there{};

    Result<std::vector<kernel::ObservedMount>> list(kernel::Scope) override { return there; }
    Result<void> mount(JailId, const kernel::Mount&) override { return {}; }
    Result<void> check(const kernel::Mount&) override { return {}; }
    [[nodiscard]] bool lists(const std::string&) const override { return true; }
    Result<void> unmount(JailId, const std::string&) override { return {}; }
};

/// A state directory with one jail that has a root and, beside it, a private /usr/local.
class SnapshotPlace : public Playground {
public:
    SnapshotPlace() {
        put(root() / "etc/rc.conf", "first");
        put(root() / "var/data", "data");
        put(jail() / "local/bin/tool", "tool");
        put(jail() / "log", "not the jail's");
        put(jail() / "prepared", "1");
    }
    [[nodiscard]] fs::path jail(JailId id = kTaken) const { return home() / "jails" / std::to_string(id.value); }
    [[nodiscard]] fs::path root(JailId id = kTaken) const { return jail(id) / "root"; }
    [[nodiscard]] fs::path snapshot(SnapshotId id) const { return jail() / "snapshots" / std::to_string(id.value); }
    SaidMounts mounts{};
    kernel::SnapshotDirectories snapshots{home(), mounts};
};

std::size_t names_in(const fs::path& directory) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

const kernel::SnapshotKey kTakenFirst{.jail = kTaken, .id = kFirst};
const kernel::Restoration kRestore{.jail = kTaken, .from = kTakenFirst, .keep = kKept};

}  // namespace

TEST_CASE("snapshot directories: a snapshot holds what the jail wrote, and nothing else of its directory") {
    SnapshotPlace place;
    const auto size = value_of(place.snapshots.take(kTakenFirst, {}));
    CHECK(size.bytes == 13);
    CHECK(contents(place.snapshot(kFirst)) == std::map<std::string, std::string>{{"root", ""},
                                                                                 {"root/etc", ""},
                                                                                 {"root/etc/rc.conf", "first"},
                                                                                 {"root/var", ""},
                                                                                 {"root/var/data", "data"},
                                                                                 {"local", ""},
                                                                                 {"local/bin", ""},
                                                                                 {"local/bin/tool", "tool"}});
    CHECK(value_of(place.snapshots.list()) == std::vector{kTakenFirst});
    value_of(place.snapshots.remove(kTakenFirst));
    value_of(place.snapshots.remove(kTakenFirst));
    CHECK(value_of(place.snapshots.list()).empty());
    CHECK(place.untouched());
}

TEST_CASE("snapshot directories: a jail without a root has nothing to take") {
    SnapshotPlace place;
    CHECK(error_of(place.snapshots.take({.jail = kMadeOf, .id = kFirst}, {})).code == Errc::not_found);
    fs::create_directories(place.jail(kMadeOf));
    CHECK(error_of(place.snapshots.take({.jail = kMadeOf, .id = kFirst}, {})).name() == "root_missing");
    CHECK(value_of(place.snapshots.list()).empty());
}

TEST_CASE("snapshot directories: a root on a dataset of its own is not copied") {
    SnapshotPlace place;
    put(place.jail() / "dataset", "zroot/jails/1");
    CHECK(error_of(place.snapshots.take(kTakenFirst, {})).name() == "root_is_dataset");
    CHECK(error_of(place.snapshots.restore(kRestore)).name() == "root_is_dataset");
    CHECK(fs::exists(place.root() / "etc/rc.conf"));
}

TEST_CASE("snapshot directories: one that is interrupted leaves nothing") {
    SnapshotPlace place;
    const auto error = error_of(place.snapshots.take(kTakenFirst, [](const auto& size) { return size.entries < 3; }));
    CHECK(error.name() == "interrupted");
    CHECK(value_of(place.snapshots.list()).empty());
    CHECK(names_in(place.jail() / "snapshots") == 0);
}

TEST_CASE("snapshot directories: what a crash left half-made is made anew") {
    SnapshotPlace place;
    put(place.jail() / "snapshots/7.making/root/etc/stale", "stale");
    put(place.jail() / "snapshots/7.removing/root/etc/stale", "stale");
    CHECK(value_of(place.snapshots.list()) == std::vector{kTakenFirst});
    value_of(place.snapshots.take(kTakenFirst, {}));
    CHECK_FALSE(fs::exists(place.snapshot(kFirst) / "root/etc/stale"));
    CHECK(names_in(place.jail() / "snapshots") == 1);
}

TEST_CASE("snapshot directories: a restored root is the snapshot's, and what was there is kept") {
    SnapshotPlace place;
    const auto before = contents(place.root());
    value_of(place.snapshots.take(kTakenFirst, {}));
    put(place.root() / "etc/rc.conf", "second");
    put(place.root() / "new", "new");
    const auto changed = contents(place.root());

    value_of(place.snapshots.restore(kRestore));
    CHECK(contents(place.root()) == before);
    CHECK(contents(place.snapshot(kKept) / "root") == changed);
    CHECK(contents(place.snapshot(kFirst) / "root") == before);
    CHECK(fs::exists(place.jail() / "local/bin/tool"));
    CHECK(fs::exists(place.jail() / "log"));

    SECTION("a second time changes nothing") {
        put(place.root() / "later", "later");
        value_of(place.snapshots.restore(kRestore));
        CHECK(fs::exists(place.root() / "later"));
    }
    SECTION("and back again") {
        value_of(
            place.snapshots.restore({.jail = kTaken, .from = {.jail = kTaken, .id = kKept}, .keep = SnapshotId{9}}));
        CHECK(contents(place.root()) == changed);
        CHECK(value_of(place.snapshots.list()).size() == 3);
    }
}

/// Each state that a crash can leave behind, made by hand from the one that the steps before it leave.
TEST_CASE("snapshot directories: a restoration that a crash ended is finished") {
    SnapshotPlace place;
    const auto before = contents(place.root());
    value_of(place.snapshots.take(kTakenFirst, {}));
    put(place.root() / "etc/rc.conf", "second");
    const auto changed = contents(place.root());
    const auto copied = place.jail() / "restored";
    const auto keeping = place.jail() / "snapshots/8.making";

    const auto copy_whole = [&] { fs::copy(place.snapshot(kFirst), copied, fs::copy_options::recursive); };
    const auto keep_root = [&] {
        fs::create_directories(keeping);
        fs::rename(place.root(), keeping / "root");
    };
    const auto keep_all = [&] {
        keep_root();
        fs::rename(place.jail() / "local", keeping / "local");
        fs::rename(keeping, place.snapshot(kKept));
    };
    SECTION("while it copied") {
        put(place.jail() / "restoring/root/half", "half");
    }
    SECTION("after the copy") {
        copy_whole();
    }
    SECTION("in the middle of keeping what was there") {
        copy_whole();
        keep_root();
    }
    SECTION("before anything was moved in") {
        copy_whole();
        keep_all();
    }
    SECTION("in the middle of moving in") {
        copy_whole();
        keep_all();
        fs::rename(copied / "root", place.root());
    }
    value_of(place.snapshots.restore(kRestore));
    CHECK(contents(place.root()) == before);
    CHECK(contents(place.snapshot(kKept) / "root") == changed);
    CHECK(fs::exists(place.jail() / "local/bin/tool"));
    CHECK(fs::exists(place.snapshot(kKept) / "local/bin/tool"));
    CHECK_FALSE(fs::exists(copied));
    CHECK_FALSE(fs::exists(place.jail() / "restoring"));
    CHECK(names_in(place.jail() / "snapshots") == 2);
}

TEST_CASE("snapshot directories: a snapshot that is not there leaves the root as it is") {
    SnapshotPlace place;
    const auto before = contents(place.root());
    CHECK(error_of(place.snapshots.restore(kRestore)).name() == "snapshot_missing");
    CHECK(contents(place.root()) == before);
    CHECK_FALSE(fs::exists(place.jail() / "restored"));
}

TEST_CASE("snapshot directories: nothing is restored beneath a mount") {
    SnapshotPlace place;
    value_of(place.snapshots.take(kTakenFirst, {}));
    place.mounts.there = {{.id = kTaken, .target = "root/srv"}};
    CHECK(error_of(place.snapshots.restore(kRestore)).name() == "still_mounted");
    CHECK_FALSE(fs::exists(place.snapshot(kKept)));
}

TEST_CASE("snapshot directories: a new jail's root is made from another's snapshot") {
    SnapshotPlace place;
    value_of(place.snapshots.take(kTakenFirst, {}));
    const kernel::Restoration made{.jail = kMadeOf, .from = kTakenFirst};
    value_of(place.snapshots.restore(made));
    CHECK(contents(place.root(kMadeOf)) == contents(place.root()));
    CHECK(fs::exists(place.jail(kMadeOf) / "local/bin/tool"));
    CHECK(fs::exists(place.jail(kMadeOf) / "prepared"));
    put(place.root(kMadeOf) / "own", "own");
    value_of(place.snapshots.restore(made));
    CHECK(fs::exists(place.root(kMadeOf) / "own"));
}

#ifdef __linux__

TEST_CASE("snapshot directories: what is mounted beneath the root of a jail that runs is left out") {
    if (!is_root()) return;
    SnapshotPlace place;
    fs::create_directories(place.root() / "srv");
    const TestMount mount("tmpfs", place.root() / "srv", "tmpfs", 0);
    REQUIRE(mount.mounted());
    put(place.root() / "srv/secret", "not the jail's");
    value_of(place.snapshots.take(kTakenFirst, {}));
    CHECK(fs::is_directory(place.snapshot(kFirst) / "root/srv"));
    CHECK(fs::is_empty(place.snapshot(kFirst) / "root/srv"));
}

TEST_CASE("snapshot directories: a full disk leaves the root, and no half snapshot") {
    if (!is_root()) return;
    SnapshotPlace place;
    const TestMount mount("tmpfs", place.home(), "tmpfs", 0);
    REQUIRE(mount.mounted());
    REQUIRE(::mount("tmpfs", place.home().c_str(), "tmpfs", MS_REMOUNT, "size=1m") == 0);
    put(place.root() / "big", std::string(600'000, 'x'));
    const auto error = error_of(place.snapshots.take(kTakenFirst, {}));
    CHECK(error.code == Errc::exhausted);
    CHECK(value_of(place.snapshots.list()).empty());
    CHECK(names_in(place.jail() / "snapshots") == 0);
    put(place.root() / "small", "there is room again");
    CHECK(contents(place.root()).at("small") == "there is room again");
}

#endif
