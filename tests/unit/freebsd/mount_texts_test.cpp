#include "core/kernel/freebsd/pure/mount_texts.h"

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel;
using freebsd::MountOption;

TEST_CASE("what nmount is told, pair by pair", "[freebsd][mounts]") {
    const std::string path = "/var/db/jaild/jails/12/root/usr/bin";
    CHECK(freebsd::mount_options({.source = "/usr/bin", .target = "root/usr/bin", .read_only = true}, path) ==
          std::vector<MountOption>{{"fstype", "nullfs"}, {"fspath", path}, {"from", "/usr/bin"}});
    CHECK(freebsd::mount_options({.kind = MountKind::devfs, .target = "root/dev", .ruleset = 5}, path) ==
          std::vector<MountOption>{{"fstype", "devfs"}, {"fspath", path}, {"from", "devfs"}, {"ruleset", "5"}});
    CHECK(freebsd::mount_options({.kind = MountKind::devfs, .target = "root/dev"}, path) ==
          std::vector<MountOption>{{"fstype", "devfs"}, {"fspath", path}, {"from", "devfs"}});
    for (const auto& [kind, type] :
         {std::pair{MountKind::fdescfs, "fdescfs"}, std::pair{MountKind::procfs, "procfs"},
          std::pair{MountKind::linprocfs, "linprocfs"}, std::pair{MountKind::linsysfs, "linsysfs"},
          std::pair{MountKind::tmpfs, "tmpfs"}}) {
        // A source or a ruleset means nothing to these.
        CHECK(freebsd::mount_options({.kind = kind, .source = "/etc", .target = "root/x", .ruleset = 4}, path) ==
              std::vector<MountOption>{{"fstype", type}, {"fspath", path}, {"from", type}});
    }
}

TEST_CASE("a mount point beneath a jail's directory is that jail's, and no other is", "[freebsd][mounts]") {
    const std::string jails = "/var/db/jaild/jails";
    const auto parsed = [&](const std::string& point) { return freebsd::parse_mount_point(jails, point); };
    CHECK(parsed(jails + "/12/root") == ObservedMount{.id = JailId{12}, .target = "root"});
    CHECK(parsed(jails + "/12/root/usr/lib 32") == ObservedMount{.id = JailId{12}, .target = "root/usr/lib 32"});
    for (const char* other : {"", "/12", "/12/", "/0/root", "/-1/root", "/12x/root", "/x/root", "//12/root",
                              "/12.removing/root", "/99999999999999999999/root"}) {
        INFO(other);
        CHECK_FALSE(parsed(jails + other));
    }
    CHECK_FALSE(parsed("/var/db/jaild/jails2/12/root"));
    CHECK_FALSE(parsed("/mnt" + jails + "/12/root"));
}

TEST_CASE("a filesystem id is written as unmount(2) reads it", "[freebsd][mounts]") {
    CHECK(freebsd::filesystem_id(-3, 57) == "FSID:-3:57");
}
