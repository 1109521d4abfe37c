#include "core/kernel/freebsd/pure/snapshot_texts.h"

#include "tests/instance.h"
#include "tests/unit/freebsd/zfs_output.h"

using namespace jaild;
using namespace jaild::test;
namespace zfs = jaild::kernel::freebsd::zfs;
using kernel::SnapshotKey;

namespace {

std::string snapshot(const std::string& name, const std::string& mark, const std::string& source = "local",
                     const std::string& clones = "", const std::string& leaving = "off") {
    return zfs_row(name, "jaild:snapshot", mark, source) + zfs_row(name, "defer_destroy", leaving, "-") +
           zfs_row(name, "clones", clones, "-");
}

}  // namespace

TEST_CASE("a snapshot is taken and marked in one step", "[freebsd][zfs]") {
    CHECK(zfs::take("zroot/k3f9a-12", instance(), {.jail = {12}, .id = {5}}) ==
          Argv{"zfs", "snapshot", "-o", "jaild:snapshot=k3f9a:12:5", "zroot/k3f9a-12@jaild-5"});
    CHECK(zfs::aside("zroot/k3f9a-12", SnapshotId{5}) == "zroot/k3f9a-12.5");
}

TEST_CASE("a snapshot is whose its own mark says, wherever it is", "[freebsd][zfs]") {
    const auto all = value_of(
        zfs::snapshots_in(snapshot("z/k3f9a-12@jaild-5", "k3f9a:12:5") +
                              snapshot("z/k3f9a-13@jaild-6", "k3f9a:12:6", "local", "z/k3f9a-14,z/k3f9a-15", "on") +
                              snapshot("z/k3f9a-12@mine", "-", "-"),
                          instance()));
    CHECK(all == std::vector<zfs::Snapshot>{{.name = "z/k3f9a-12@jaild-5", .key = SnapshotKey{.jail = {12}, .id = {5}}},
                                            {.name = "z/k3f9a-13@jaild-6",
                                             .key = SnapshotKey{.jail = {12}, .id = {6}},
                                             .leaving = true,
                                             .clones = {"z/k3f9a-14", "z/k3f9a-15"}},
                                            {.name = "z/k3f9a-12@mine"}});
    for (const char* mark : {"other:12:5", "k3f9a:12", "k3f9a:12:", "k3f9a::5", "k3f9a:12:5x", "k3f9a:012:5", "k3f9a"})
        CHECK_FALSE(value_of(zfs::snapshots_in(snapshot("z/k3f9a-12@a", mark), instance())).at(0).key);
    CHECK_FALSE(
        value_of(zfs::snapshots_in(snapshot("z/k3f9a-12@a", "k3f9a:12:5", "inherited from z"), instance())).at(0).key);
    CHECK(error_of(zfs::snapshots_in("cannot open\n", instance())).code == Errc::corrupt);
}

TEST_CASE("the datasets of a jail are its root's and those aside, with its mark", "[freebsd][zfs]") {
    const auto member = [](const std::string& name, const std::string& mark, const std::string& origin) {
        return zfs_row(name, "jaild:owner", mark, "local") + zfs_row(name, "jailed", "off", "default") +
               zfs_row(name, "origin", origin, "-");
    };
    const auto output = member("z/k3f9a-1", "k3f9a:jail:1", "-") + member("z/k3f9a-12", "k3f9a:jail:12", "z/t@base") +
                        member("z/k3f9a-12.5", "k3f9a:jail:12", "z/k3f9a-12@jaild-4") +
                        member("z/k3f9a-12.6", "other", "-") + member("z/k3f9a-123", "k3f9a:jail:123", "-");
    CHECK(value_of(zfs::family_in(output, "z", instance(), JailId{12})) ==
          std::vector<zfs::Member>{{.name = "z/k3f9a-12", .origin = "z/t@base"},
                                   {.name = "z/k3f9a-12.5", .origin = "z/k3f9a-12@jaild-4"}});
}
