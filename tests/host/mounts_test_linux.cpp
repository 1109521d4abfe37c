#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "core/base/files.h"
#include "core/kernel/linux/inside.h"
#include "core/kernel/linux/mount_api.h"
#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
using kernel::Mount;
using kernel::ObservedMount;

bool read_only(const fs::path& path) {
    struct statvfs seen {};
    REQUIRE(::statvfs(path.c_str(), &seen) == 0);
    return (seen.f_flag & ST_RDONLY) != 0;
}

std::vector<std::string> targets(const std::vector<ObservedMount>& mounts) {
    std::vector<std::string> all;
    for (const auto& mount : mounts) all.push_back(mount.target);
    return all;
}

/// The optional fields ("shared:12", "master:3") of the mount at a point.
std::string propagation(const fs::path& point) {
    std::istringstream lines(read_file("/proc/self/mountinfo"));
    for (std::string line; std::getline(lines, line);) {
        if (!line.contains(" " + point.string() + " ")) continue;
        const auto end = line.find(" - ");
        return line.substr(0, end);
    }
    return {};
}

/// A directory of the host that a test may fill and mount on; gone with the test.
struct HostDirectory {
    fs::path path;
    explicit HostDirectory(const TestHost& host) : path(host.state_directory() / "of-the-host") {
        fs::create_directories(path);
    }
};

TEST_CASE("mounts of a thin root are listed in their order, /usr read-only and /usr/local writable", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const auto listed = value_of(jail.mounts.list(kJail));
    REQUIRE(targets(listed) == std::vector<std::string>{"root", "root/usr", "root/usr/local"});
    CHECK_FALSE(listed[0].read_only);
    CHECK(listed[1].read_only);
    CHECK_FALSE(listed[2].read_only);
    CHECK(read_only(jail.layout.root(kJail) / "usr"));
    CHECK(value_of(jail.mounts.list({})) == listed);
    CHECK(value_of(jail.mounts.list(JailId{11})).empty());
}

TEST_CASE("mounting what is mounted already changes nothing", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const auto before = value_of(jail.mounts.list(kJail));
    for (const Mount& mount : value_of(jail.roots.mounts(JailFixture::root_parameters(kJail))))
        value_of(jail.mounts.mount(kJail, mount));
    CHECK(value_of(jail.mounts.list(kJail)) == before);
}

TEST_CASE("the root is a peer group of its own, and no part of the host's", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const auto root = propagation(jail.layout.root(kJail));
    CHECK(root.contains(" shared:"));
    CHECK_FALSE(root.contains(" master:"));
    CHECK_FALSE(propagation(jail.layout.root(kJail) / "usr").contains(" master:"));
}

TEST_CASE("a mount below a read-only one is read-only too, and later ones of the host stay outside", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const HostDirectory host(jail.host);
    fs::create_directories(host.path / "early");
    fs::create_directories(host.path / "late");
    REQUIRE(::mount("early", (host.path / "early").c_str(), "tmpfs", 0, "size=64k") == 0);
    REQUIRE(::mount(nullptr, (host.path / "early").c_str(), nullptr, MS_SHARED, nullptr) == 0);

    Mount data;
    data.source = host.path;
    data.target = "root/srv";
    data.read_only = true;
    value_of(jail.mounts.mount(kJail, data));
    CHECK(read_only(jail.layout.root(kJail) / "srv/early"));
    REQUIRE(::mount("late", (host.path / "late").c_str(), "tmpfs", 0, "size=64k") == 0);
    write_file(host.path / "late/file", "x");
    CHECK_FALSE(fs::exists(jail.layout.root(kJail) / "srv/late/file"));

    REQUIRE(::umount2((host.path / "late").c_str(), 0) == 0);
    jail.unmount_root(kJail);
    CHECK(fs::is_directory(host.path / "early"));
    CHECK_FALSE(propagation(host.path / "early").empty());  // unmounting ours did not unmount theirs
    REQUIRE(::umount2((host.path / "early").c_str(), 0) == 0);
}

TEST_CASE("what is unmounted on the host is gone in the jail, and comes back read-only",
          "[host][mounts][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    const auto first = jail.first_process(kJail).value();
    const auto usr = jail.layout.root(kJail) / "usr";
    REQUIRE(value_of(kernel::inside::is_mounted(first, "usr")));

    REQUIRE(::umount2(usr.c_str(), MNT_DETACH) == 0);  // as an administrator's hand would
    CHECK_FALSE(value_of(kernel::inside::is_mounted(first, "usr")));
    CHECK(targets(value_of(jail.mounts.list(kJail))) == std::vector<std::string>{"root"});

    for (const Mount& mount : value_of(jail.roots.mounts(JailFixture::root_parameters(kJail))))
        value_of(jail.mounts.mount(kJail, mount));
    CHECK(value_of(kernel::inside::is_mounted(first, "usr")));
    CHECK(value_of(kernel::inside::is_mounted(first, "usr/local")));
    CHECK(jail.output_in_jail(kJail, "touch /usr/x 2>&1 || echo refused").ends_with("Read-only file system\nrefused"));
    CHECK(jail.status_in_jail(kJail, "touch /usr/local/x") == 0);
}

TEST_CASE("a root taken away whole on the host is mended for the running jail", "[host][mounts]") {
    JailFixture jail;
    jail.start(kJail);
    const auto first = jail.first_process(kJail).value();
    REQUIRE(::umount2(jail.layout.root(kJail).c_str(), MNT_DETACH) == 0);
    CHECK_FALSE(value_of(kernel::inside::is_mounted(first, "usr")));
    for (const Mount& mount : value_of(jail.roots.mounts(JailFixture::root_parameters(kJail))))
        value_of(jail.mounts.mount(kJail, mount));
    CHECK(jail.output_in_jail(kJail, "touch /usr/x 2>&1 || echo refused").ends_with("Read-only file system\nrefused"));
    CHECK(jail.status_in_jail(kJail, "touch /usr/local/x") == 0);
    value_of(jail.jails.remove(kJail));
    jail.unmount_root(kJail);
    CHECK(value_of(jail.mounts.list({})).empty());
}

TEST_CASE("nothing is mounted in the namespace of a process that is not the jail's", "[host][mounts][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    const HostDirectory host(jail.host);
    fs::create_directories(host.path / "target");
    const auto tree = value_of(kernel::mount_api::clone("/usr", kernel::mount_api::Submounts::leave_out, {}));
    const auto attach = [&](const kernel::ProcessIdentity& process) {
        return error_of(kernel::inside::attach(process, (host.path / "target").relative_path(), tree.get())).code;
    };
    // The jail ended, and its number went to a process of the host: with another start time, or found too late.
    const auto own = value_of(shim::start_time(::getpid())).value();
    CHECK(attach({.pid = ::getpid(), .started = own}) == Errc::conflict);
    CHECK(attach({.pid = ::getpid(), .started = own + 1}) == Errc::not_found);
    CHECK(fs::is_empty(host.path / "target"));
    auto other = jail.first_process(kJail).value();
    ++other.started;
    CHECK(attach(other) == Errc::not_found);
    CHECK(error_of(kernel::inside::is_mounted(other, "usr")).code == Errc::not_found);
}

TEST_CASE("at no moment of being mounted is a read-only directory writable for the jail",
          "[host][mounts][confinement]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const HostDirectory host(jail.host);
    Mount data;
    data.source = host.path;
    data.target = "root/srv";
    data.read_only = true;

    // A writer in the place where the mount comes and goes. The directory below is private: its files are not ours.
    std::atomic<bool> ended = false;
    const auto place = jail.layout.root(kJail) / "srv" / "written";
    std::thread writer([&] {
        while (!ended) {
            const std::ofstream attempt(place, std::ios::app);
        }
    });
    for (int round = 0; round < 300; ++round) {
        CHECK(jail.mounts.mount(kJail, data));
        CHECK(::umount2((jail.layout.root(kJail) / "srv").c_str(), MNT_DETACH) == 0);
    }
    ended = true;
    writer.join();
    CHECK(fs::exists(place));  // the writer did write whenever it could
    CHECK_FALSE(fs::exists(host.path / "written"));
}

TEST_CASE("a link planted where a mount shall be is not followed", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const HostDirectory host(jail.host);
    fs::create_directories(host.path / "victim");
    fs::remove(jail.layout.root(kJail) / "srv");
    fs::create_directory_symlink(host.path / "victim", jail.layout.root(kJail) / "srv");
    Mount data;
    data.source = host.path;
    data.target = GENERATE(std::string("root/srv"), std::string("root/srv/below"), std::string("root/../../x"));
    CHECK(error_of(jail.mounts.mount(kJail, data)).code == Errc::invalid);
    CHECK(fs::is_empty(host.path / "victim"));
    CHECK(error_of(jail.mounts.unmount(kJail, "root/srv/below")).code == Errc::invalid);
    CHECK(value_of(jail.mounts.list(kJail)).size() == 3);
}

TEST_CASE("a source with a link in it is refused", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const HostDirectory host(jail.host);
    fs::create_directory_symlink("/etc", host.path / "link");
    Mount data;
    data.source = host.path / "link";
    data.target = "root/srv";
    CHECK_FALSE(jail.mounts.mount(kJail, data));
    CHECK(value_of(jail.mounts.list(kJail)).size() == 3);
}

TEST_CASE("unmounting names what keeps a mount busy, and a missing one is success", "[host][mounts]") {
    JailFixture jail;
    jail.mount_root(kJail);
    const auto error = error_of(jail.mounts.unmount(kJail, "root/usr"));
    CHECK(error.code == Errc::busy);
    CHECK(error.detail.contains("root/usr/local"));
    value_of(jail.mounts.unmount(kJail, "root/srv"));
    value_of(jail.mounts.unmount(kJail, "root/not/there"));
    value_of(jail.mounts.unmount(JailId{99}, "root"));
    jail.unmount_root(kJail);
    CHECK(value_of(jail.mounts.list({})).empty());
    value_of(jail.mounts.unmount(kJail, "root/usr"));
}

TEST_CASE("a mount in use by a running jail is busy, once the jail is gone a host process cannot keep it",
          "[host][mounts]") {
    JailFixture jail;
    jail.start(kJail);
    REQUIRE(jail.status_in_jail(kJail, "sleep 1000 >/dev/null 2>&1 </dev/null &") == 0);
    value_of(jail.mounts.unmount(kJail, "root/usr/local"));
    CHECK(error_of(jail.mounts.unmount(kJail, "root/usr")).code == Errc::busy);

    value_of(jail.jails.remove(kJail));
    const UniqueFd held(value_of(files::open_directory(jail.layout.root(kJail) / "usr")));
    jail.unmount_root(kJail);
    CHECK(value_of(jail.mounts.list({})).empty());
}

TEST_CASE("mountinfo is read with its escapes and optional fields", "[host][mounts]") {
    kernel::MountEntry entry;
    REQUIRE(kernel::parse_mount(
        R"(36 35 98:0 /m\0401 /a\040b/c\134d ro,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue)",
        entry));
    CHECK(entry.point == "/a b/c\\d");
    CHECK(entry.read_only());
    CHECK(entry.type == "ext3");
    CHECK(entry.source() == "/dev/root[/m 1]");
    REQUIRE(kernel::parse_mount("36 35 98:0 / /x rw,noatime - tmpfs none ro", entry));
    CHECK(entry.source() == "none");
    CHECK_FALSE(entry.read_only());  // the filesystem's own option is not the mount's
    CHECK_FALSE(kernel::parse_mount("36 35 98:0 / /x rw,noatime shared:1", entry));
    CHECK_FALSE(kernel::parse_mount("", entry));
}

}  // namespace
}  // namespace jaild::test
