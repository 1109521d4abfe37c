#include <sys/param.h>
// after <sys/param.h>
#include <sys/mount.h>

#include <filesystem>

#include "core/kernel/freebsd/mounts.h"
#include "tests/host/test_host.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
using kernel::Mount;
using kernel::MountKind;

constexpr JailId kJail{7};

/// A jail's directory with an empty root in it, and the port that mounts there.
struct Scene {
    TestHost host;
    kernel::FreeBsdMounts mounts{host.options()};
    fs::path jail = host.state_directory() / "jails" / "7";

    Scene() { fs::create_directories(jail / "root"); }

    /// As statfs(2) knows what is mounted exactly there: "tmpfs", or "" for nothing.
    [[nodiscard]] std::string type_at(const std::string& target) const {
        struct statfs seen {};
        const auto path = jail / target;
        if (::statfs(path.c_str(), &seen) != 0 || path != seen.f_mntonname) return {};
        return seen.f_fstypename;
    }

    [[nodiscard]] std::vector<std::string> targets() {
        std::vector<std::string> all;
        for (const auto& mount : value_of(mounts.list(kJail))) all.push_back(mount.target);
        return all;
    }
};

TEST_CASE("each kind of mount is made where nothing was, found mounted, and goes", "[mounts]") {
    Scene scene;
    const std::vector<std::pair<MountKind, std::string>> kinds{
        {MountKind::bind, "nullfs"},         {MountKind::devfs, "devfs"},       {MountKind::fdescfs, "fdescfs"},
        {MountKind::linprocfs, "linprocfs"}, {MountKind::linsysfs, "linsysfs"}, {MountKind::procfs, "procfs"},
        {MountKind::tmpfs, "tmpfs"}};
    for (const auto& [kind, type] : kinds) {
        INFO(type);
        const Mount mount{
            .kind = kind, .source = kind == MountKind::bind ? "/usr/share/misc" : "", .target = "root/a/" + type};
        const auto mounted = scene.mounts.mount(kJail, mount);
        if (!mounted && mounted.error().reason == "module_missing") {
            WARN(mounted.error().to_string());  // a kernel without that module
            CHECK(mounted.error().code == Errc::unsupported);
            CHECK_FALSE(mounted.error().remedy.empty());
            continue;
        }
        value_of(mounted);
        CHECK(scene.type_at(mount.target) == type);
        CHECK(scene.targets() == std::vector{mount.target});
        INFO("again changes nothing");
        value_of(scene.mounts.mount(kJail, mount));
        CHECK(scene.targets() == std::vector{mount.target});
        value_of(scene.mounts.unmount(kJail, mount.target));
        CHECK(scene.type_at(mount.target).empty());
        CHECK(scene.targets().empty());
        INFO("what is not there is unmounted already");
        value_of(scene.mounts.unmount(kJail, mount.target));
    }
}

TEST_CASE("a read-only mount refuses what is written, and is not made writable by asking again", "[mounts]") {
    Scene scene;
    const Mount read_only{.source = "/usr/share/misc", .target = "root/misc", .read_only = true};
    value_of(scene.mounts.mount(kJail, read_only));
    CHECK(value_of(scene.mounts.list(kJail)).front().read_only);
    CHECK(value_of(run({"/usr/bin/touch", scene.jail / "root/misc/x"})).exit_code != 0);
    Mount writable = read_only;
    writable.read_only = false;
    const auto refused = scene.mounts.mount(kJail, writable);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == "mounted_otherwise");
    value_of(scene.mounts.unmount(kJail, "root/misc"));
}

TEST_CASE("what lies beneath is unmounted first", "[mounts]") {
    Scene scene;
    const Mount outer{.kind = MountKind::tmpfs, .target = "root/tmp"};
    const Mount inner{.source = "/usr/share/misc", .target = "root/tmp/misc", .read_only = true};
    value_of(scene.mounts.mount(kJail, outer));
    fs::create_directory(scene.jail / inner.target);  // a tmpfs is not jaild's to make directories in
    value_of(scene.mounts.mount(kJail, inner));
    const auto busy = scene.mounts.unmount(kJail, outer.target);
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == Errc::busy);
    CHECK(busy.error().detail.contains(inner.target));
    CHECK(scene.targets() == std::vector{outer.target, inner.target});
    value_of(scene.mounts.unmount(kJail, inner.target));
    value_of(scene.mounts.unmount(kJail, outer.target));
    CHECK(scene.targets().empty());
}

TEST_CASE("no link is followed, neither to where it is mounted nor from where", "[mounts]") {
    Scene scene;
    const auto elsewhere = scene.host.state_directory() / "elsewhere";
    fs::create_directory(elsewhere);
    fs::create_directory_symlink(elsewhere, scene.jail / "root/link");
    fs::create_directory_symlink("/usr/share/misc", elsewhere / "source");
    for (const Mount& mount : {Mount{.kind = MountKind::tmpfs, .target = "root/link"},
                               Mount{.kind = MountKind::tmpfs, .target = "root/link/beneath"},
                               Mount{.kind = MountKind::tmpfs, .target = "root/../../elsewhere"},
                               Mount{.source = elsewhere / "source", .target = "root/misc"}}) {
        INFO(mount.target << " from " << mount.source);
        CHECK_FALSE(scene.mounts.mount(kJail, mount));
    }
    CHECK(scene.targets().empty());
    CHECK(lines_with({"/sbin/mount", "-p"}, elsewhere.string()).empty());
}

TEST_CASE("a devfs ruleset that has no rules is refused: it would show every device", "[mounts]") {
    Scene scene;
    const auto refused = scene.mounts.mount(kJail, {.kind = MountKind::devfs, .target = "root/dev", .ruleset = 64'999});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == "devfs_ruleset_missing");
    CHECK(scene.targets().empty());
}

}  // namespace
}  // namespace jaild::test
