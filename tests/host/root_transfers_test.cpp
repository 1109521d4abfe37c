#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/base/files.h"
#include "core/kernel/roots/transfer_directories.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

/// Roots on their way into archives and out of them, as directories.
namespace {

/// Nothing is mounted, or something of the jail is.
class SomeMounts final : public kernel::Mounts {
public:
    Result<std::vector<kernel::ObservedMount>> list(kernel::Scope scope) override {
        std::vector<kernel::ObservedMount> all;
        if (mounted) all.push_back({.id = scope.value_or(JailId{1}), .target = "root/dev"});
        return all;
    }
    Result<void> mount(JailId, const kernel::Mount&) override { return {}; }
    Result<void> check(const kernel::Mount&) override { return {}; }
    [[nodiscard]] bool lists(const std::string&) const override { return false; }
    Result<void> unmount(JailId, const std::string&) override { return {}; }

    bool mounted = false;
};

class Roots : public Playground {
public:
    [[nodiscard]] fs::path jail(int id) const { return home() / "jails" / std::to_string(id); }
    [[nodiscard]] fs::path imports() const { return home() / "imports"; }
    kernel::TransferDirectories& port() { return port_; }
    SomeMounts& mounts() { return mounts_; }
    [[nodiscard]] static bool holds(const UniqueFd& directory, const char* name) {
        struct stat seen {};
        return ::fstatat(directory.get(), name, &seen, AT_SYMLINK_NOFOLLOW) == 0;
    }

private:
    SomeMounts mounts_;
    kernel::TransferDirectories port_{home(), mounts_};
};

void write_word(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "word";
}

}  // namespace

TEST_CASE("a root that is imported is the jail's when it is whole, not before", "[transfers][root]") {
    Roots roots;
    auto place = value_of(roots.port().import());
    const auto where = fs::directory_iterator(roots.imports())->path();
    CHECK(fs::is_empty(where));
    value_of(place->begin(JailId{3}, {}));
    CHECK(fs::is_directory(where / "root"));
    write_word(where / "root/etc/word");
    CHECK_FALSE(fs::exists(roots.jail(3)));
    SECTION("finished") {
        value_of(place->finish());
        place.reset();
        CHECK(fs::exists(roots.jail(3) / "root/etc/word"));
        CHECK(fs::exists(roots.jail(3) / "prepared"));
    }
    SECTION("given up") {
        place.reset();
        CHECK_FALSE(fs::exists(roots.jail(3)));
    }
    CHECK(fs::is_empty(roots.imports()));
}

TEST_CASE("what stands where the tree was to be is not taken for one", "[transfers][root][attack]") {
    Roots roots;
    auto place = value_of(roots.port().import());
    value_of(place->begin(JailId{3}, {}));
    const auto where = fs::directory_iterator(roots.imports())->path();
    fs::remove(where / "root");
    fs::create_symlink(roots.home(), where / "root");
    CHECK(error_of(place->finish()).code == Errc::invalid);
    CHECK_FALSE(fs::exists(roots.jail(3) / "prepared"));
    place.reset();
    CHECK(roots.untouched());
}

TEST_CASE("imports of a daemon that was killed go when the next one starts", "[transfers][root]") {
    Roots roots;
    write_word(roots.imports() / "7/root/etc/word");
    value_of(roots.port().clear());
    CHECK_FALSE(fs::exists(roots.imports()));
    value_of(roots.port().clear());
    auto first = value_of(roots.port().import());
    auto second = value_of(roots.port().import());
    CHECK(first->directory() != second->directory());
}

TEST_CASE("a root is read when its jail is down and has one", "[transfers][root]") {
    Roots roots;
    CHECK(error_of(roots.port().open(JailId{3})).name() == "root_not_made");
    write_word(roots.jail(3) / "root/word");
    CHECK(error_of(roots.port().open(JailId{3})).name() == "root_not_made");
    std::ofstream(roots.jail(3) / "prepared") << "1\n";
    CHECK(Roots::holds(value_of(roots.port().open(JailId{3})).directory, "word"));
    roots.mounts().mounted = true;
    CHECK(error_of(roots.port().open(JailId{3})).name() == "still_mounted");
    const kernel::SnapshotKey key{.jail = JailId{3}, .id = SnapshotId{9}};
    CHECK(error_of(roots.port().open(key)).name() == "snapshot_missing");
    write_word(roots.jail(3) / "snapshots/9/root/old");
    CHECK(Roots::holds(value_of(roots.port().open(key)).directory, "old"));
}
