#include "core/kernel/freebsd/pure/delegation_texts.h"

#include "tests/catch.h"
#include "tests/results.h"
#include "tests/unit/freebsd/zfs_output.h"

using namespace jaild;
using namespace jaild::test;
namespace zfs = jaild::kernel::freebsd::zfs;

namespace {

/// What zfs get prints of a file system that nobody did anything to.
std::string fresh(const std::string& name) {
    return zfs_row(name, "jailed", "off", "default") + zfs_row(name, "mountpoint", "/" + name, "default") +
           zfs_row(name, "jaild:owner", "-", "-");
}

/// The remedy and the detail that check_tree() refuses it with; empty: it may be given away.
std::string judged(const std::vector<zfs::Filesystem>& tree, const std::vector<zfs::MountedDataset>& mounted = {}) {
    const auto good = zfs::check_tree(tree, mounted, {.parent = "zroot/jaild", .state = "/var/db/jaild"});
    if (good) return {};
    CHECK(good.error().name() == "dataset_refused");
    CHECK(good.error().code == Errc::invalid);
    CHECK_FALSE(good.error().remedy.empty());
    return good.error().detail;
}

}  // namespace

TEST_CASE("what zfs prints of a dataset is read with all that is beneath it", "[freebsd][zfs][datasets]") {
    CHECK(zfs::get_tree("tank/data") == Argv{"zfs", "get", "-Hp", "-r", "-t", "filesystem", "-o",
                                             "name,property,value,source", "jailed,mountpoint,jaild:owner",
                                             "tank/data"});
    const auto tree = value_of(zfs::tree_of(
        zfs_row("tank/data", "jailed", "on", "local") + zfs_row("tank/data", "mountpoint", "/data", "local") +
        zfs_row("tank/data", "jaild:owner", "k3f9a:jail:1", "inherited from tank") +
        zfs_row("tank/data/x", "jailed", "on", "inherited from tank/data") +
        zfs_row("tank/data/x", "mountpoint", "legacy", "local") + zfs_row("tank/data/x", "jaild:owner", "-", "-")));
    CHECK(
        tree ==
        std::vector<zfs::Filesystem>{
            {.name = "tank/data", .jailed = true, .jailed_here = true, .mountpoint = "/data", .owner = "k3f9a:jail:1"},
            {.name = "tank/data/x", .jailed = true, .jailed_here = false, .mountpoint = "legacy", .owner = ""}});
    CHECK(error_of(zfs::tree_of("")).code == Errc::corrupt);
    CHECK(error_of(zfs::tree_of("tank/data\tjailed\n")).code == Errc::corrupt);
}

TEST_CASE("a dataset that was made for a jail may be given to it", "[freebsd][zfs][datasets]") {
    const auto tree = value_of(zfs::tree_of(fresh("tank/data") + fresh("tank/data/deep")));
    CHECK(judged(tree).empty());
    CHECK(judged(tree, {{"tank/data", "/tank/data"}, {"tank/database", "/"}, {"tank", "/var"}}).empty());
}

TEST_CASE("what is jaild's is given to nobody", "[freebsd][zfs][datasets]") {
    for (const char* name : {"zroot/jaild", "zroot", "zroot/jaild/k3f9a-1", "zroot/jaild/other"})
        CHECK_FALSE(judged({{.name = name, .mountpoint = "none", .owner = ""}}).empty());
    CHECK(judged({{.name = "zroot/jaildx", .mountpoint = "none", .owner = ""}}).empty());
    // Another installation's, whose parent nobody knows here.
    const std::vector<zfs::Filesystem> other{
        {.name = "tank/jails", .mountpoint = "none", .owner = ""},
        {.name = "tank/jails/q1234-1", .mountpoint = "legacy", .owner = "q1234:jail:1"}};
    CHECK(judged(other).find("tank/jails/q1234-1 is jaild's own") != std::string::npos);
}

TEST_CASE("what the host stands on is given to nobody", "[freebsd][zfs][datasets]") {
    const std::vector<zfs::Filesystem> data{{.name = "tank/data", .mountpoint = "/data", .owner = ""}};
    for (const char* point :
         {"/", "/usr", "/usr/local", "/var", "/var/db", "/var/db/jaild", "/var/db/jaild/jails", "/home", "/etc"}) {
        INFO(point);
        CHECK(judged(data, {{"tank/data", point}}).find(point) != std::string::npos);
        CHECK_FALSE(judged(data, {{"tank/data/deeper", point}}).empty());
        CHECK(judged(data, {{"tank/other", point}}).empty());
    }
    CHECK(judged(data, {{"tank/data", "/usr/ports"}, {"tank/data/x", "/var/db/jaildx"}}).empty());
    // A boot environment that does not run now.
    CHECK_FALSE(judged({{.name = "tank/ROOT/old", .mountpoint = "/", .owner = ""}}).empty());
}

TEST_CASE("what a jail's root wrote into a dataset keeps no jail from it", "[freebsd][zfs][datasets]") {
    const std::vector<zfs::Filesystem> tree{
        {.name = "tank/data", .jailed = true, .jailed_here = true, .mountpoint = "/", .owner = "k3f9a:jail:1"}};
    CHECK(judged(tree).empty());
    CHECK(judged(tree, {{"tank/data", "/var/db/jaild/jails/1/root/data"}}).empty());
}

TEST_CASE("a part that would stay the host's is not given along", "[freebsd][zfs][datasets]") {
    const std::vector<zfs::Filesystem> tree{
        {.name = "tank/data", .mountpoint = "/data", .owner = ""},
        {.name = "tank/data/x", .jailed_here = true, .mountpoint = "/data/x", .owner = ""}};
    CHECK(judged(tree).find("tank/data/x has jailed=off") != std::string::npos);
    // Of the dataset itself it is about to be changed.
    CHECK(judged({{.name = "tank/data", .jailed_here = true, .mountpoint = "/data", .owner = ""}}).empty());
}

TEST_CASE("a mount outside of the jail is found", "[freebsd][zfs][datasets]") {
    const std::string root = "/var/db/jaild/jails/1/root";
    const auto outside = [&](const std::vector<zfs::MountedDataset>& mounted) {
        return zfs::mounted_outside("tank/data", mounted, root);
    };
    CHECK(outside({{"tank/data", root + "/data"}, {"tank/other", "/data"}}).empty());
    CHECK(outside({{"tank/data", root + "/data"}, {"tank/data/x", "/srv"}}) == "/srv");
    CHECK(outside({{"tank/data", root + "2/data"}}) == root + "2/data");
}

TEST_CASE("a dataset is given and taken by zfs", "[freebsd][zfs][datasets]") {
    CHECK(zfs::set_jailed("tank/data") == Argv{"zfs", "set", "jailed=on", "tank/data"});
    CHECK(zfs::jail(7, "tank/data") == Argv{"zfs", "jail", "7", "tank/data"});
    CHECK(zfs::unjail(7, "tank/data") == Argv{"zfs", "unjail", "7", "tank/data"});
}
