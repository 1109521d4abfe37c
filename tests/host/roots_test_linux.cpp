#include <sys/mount.h>
#include <sys/stat.h>

#include <set>
#include <sstream>

#include "core/base/random.h"
#include "core/kernel/linux/etc_files.h"
#include "core/kernel/linux/host_etc.h"
#include "core/kernel/roots/etc_text.h"
#include "tests/few_descriptors.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/temp_directory.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& path) {
    struct stat seen {};
    REQUIRE(::lstat(path.c_str(), &seen) == 0);
    return seen.st_mode & 07777U;
}

model::RootSpec path_root(const fs::path& path) {
    return {.kind = model::RootKind::path, .path = path};
}

/// Everything beneath a directory that is no directory, relative to it.
std::set<std::string> leaves(const fs::path& directory) {
    std::set<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        if (!entry.is_directory() || entry.is_symlink()) found.insert(entry.path().lexically_relative(directory));
    return found;
}

/// A file with a secret at a place of this machine, removed with the object.
class PlantedSecret {
public:
    explicit PlantedSecret(const fs::path& directory) : path_(directory / ("jaild-test-secret-" + random_hex(8))) {
        write_file(path_, "secret");
    }
    ~PlantedSecret() { fs::remove(path_); }
    PlantedSecret(const PlantedSecret&) = delete;
    PlantedSecret& operator=(const PlantedSecret&) = delete;
    [[nodiscard]] std::string name() const { return path_.filename(); }

private:
    fs::path path_;
};

TEST_CASE("a thin root has private directories with their modes and a locked root account", "[host][roots]") {
    JailFixture jail;
    CHECK_FALSE(value_of(jail.roots.prepared(kJail)));
    value_of(jail.roots.prepare(JailFixture::root_parameters(kJail)));
    CHECK(value_of(jail.roots.prepared(kJail)));
    CHECK(value_of(jail.roots.list()) == std::vector{kJail});

    const auto root = jail.layout.root(kJail);
    CHECK(mode_of(jail.layout.jail(kJail)) == 0700);
    CHECK(mode_of(root) == 0755);
    CHECK(mode_of(root / "root") == 0700);
    CHECK(mode_of(root / "tmp") == 01777);
    CHECK(mode_of(root / "var/tmp") == 01777);
    CHECK(mode_of(root / "etc/shadow") == 0600);
    CHECK(read_file(root / "etc/shadow").starts_with("root:!*:"));
    CHECK(fs::read_symlink(root / "bin") == fs::read_symlink("/bin"));
    CHECK(fs::read_symlink(root / "var/run") == "/run");
    CHECK(fs::is_empty(root / "home"));
    CHECK(fs::is_empty(root / "usr"));  // only a place to mount on
    CHECK(fs::is_directory(jail.layout.jail(kJail) / "local/bin"));
}

TEST_CASE("secrets of the host's /etc, /root, /home and /usr/local are not in a jail", "[host][roots][confinement]") {
    JailFixture jail;
    const PlantedSecret in_etc("/etc");
    const PlantedSecret in_ssl("/etc/ssl");
    const PlantedSecret in_root("/root");
    const PlantedSecret in_home("/home");
    const PlantedSecret in_local("/usr/local");
    const PlantedSecret in_local_etc("/usr/local/etc");
    jail.start(kJail);
    const auto found = jail.output_in_jail(kJail,
                                           "find / \\( -path /proc -o -path /sys -o -path /usr \\) -prune -o -print; "
                                           "find /usr/local");
    for (const auto* secret : {&in_etc, &in_ssl, &in_root, &in_home, &in_local, &in_local_etc}) {
        INFO(secret->name());
        CHECK_FALSE(found.contains(secret->name()));
    }
    CHECK(found.contains("/etc/passwd\n"));  // it did look
    CHECK(found.contains("/usr/local/bin\n"));
    for (const char* file : {"/etc/ssh", "/etc/ssl/private", "/etc/machine-id", "/etc/sudoers", "/etc/fstab"})
        CHECK(jail.status_in_jail(kJail, std::string("test ! -e ") + file) == 0);
    CHECK(jail.output_in_jail(kJail, "cat /etc/shadow") == jail.output_in_jail(kJail, "grep '!\\*' /etc/shadow"));
}

TEST_CASE("the host's /etc is copied by its allow-list: links, keys and unreadable files are not", "[host][roots]") {
    const TempDirectory from;
    const TempDirectory to;
    const TempDirectory shared;
    const auto& host = from.path();
    fs::create_directories(host / "ssl/certs/java");
    fs::create_directories(host / "alternatives");
    fs::create_directories(host / "ld.so.conf.d");
    write_file(host / "nsswitch.conf", "passwd: files\n");
    write_file(host / "secret.conf", "secret");
    write_file(host / "services", "hidden");
    ::chmod((host / "services").c_str(), 0640);
    fs::create_symlink("/root/protocols", host / "protocols");
    fs::create_symlink("../usr/share/zoneinfo/Etc/UTC", host / "localtime");
    write_file(host / "ld.so.conf.d/a.conf", "/opt/lib\n");
    write_file(host / "ld.so.conf.d/backup.txt", "x");
    write_file(host / "ssl/certs/ca.crt", "-----BEGIN CERTIFICATE-----\n");
    write_file(host / "ssl/certs/key.pem", "-----BEGIN RSA PRIVATE KEY-----\n");
    fs::create_symlink("ca.crt", host / "ssl/certs/0a1b.0");
    fs::create_symlink("/usr/share/ca-certificates/x.crt", host / "ssl/certs/x.pem");
    fs::create_symlink("/etc/ssl/private/host.key", host / "ssl/certs/host.pem");
    fs::create_symlink("/usr/../root/key", host / "ssl/certs/sly.pem");
    fs::create_symlink("/usr/bin/vim.basic", host / "alternatives/vi");
    fs::create_symlink("/usr/local/bin/own", host / "alternatives/own");  // the jail has a /usr/local of its own

    for (int round = 0; round < 2; ++round) {  // and again: idempotent
        value_of(kernel::copy_host_etc(from.fd(), to.fd()));
        CHECK(leaves(to.path()) == std::set<std::string>{"nsswitch.conf", "localtime", "ld.so.conf.d/a.conf"});
        value_of(kernel::copy_shared_etc(from.fd(), shared.fd()));
        CHECK(leaves(shared.path()) ==
              std::set<std::string>{"certs/ca.crt", "certs/0a1b.0", "certs/x.pem", "alternatives/vi"});
    }
    CHECK(fs::read_symlink(to.path() / "localtime") == "/usr/share/zoneinfo/Etc/UTC");

    fs::remove(host / "ssl/certs/0a1b.0");
    value_of(kernel::copy_shared_etc(from.fd(), shared.fd()));
    CHECK(leaves(shared.path()) == std::set<std::string>{"certs/ca.crt", "certs/x.pem", "alternatives/vi"});
}

TEST_CASE("certificates and alternatives are seen in a jail, read-only", "[host][roots][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    for (const char* directory : {"/etc/alternatives", "/etc/ssl/certs"}) {
        INFO(directory);
        CHECK(jail.output_in_jail(kJail, std::string("touch ") + directory + "/x 2>&1 || true")
                  .contains("Read-only file system"));
        // A link that leads nowhere here leads nowhere on the host, or into its /usr/local.
        std::istringstream dangling(jail.output_in_jail(kJail, std::string("find -L ") + directory + " -type l"));
        for (std::string link; std::getline(dangling, link);) {
            INFO(link);
            std::error_code missing;
            const auto target = fs::canonical(link, missing);
            CHECK((missing || target.native().starts_with("/usr/local/")));
        }
    }
    CHECK(jail.output_in_jail(kJail, "ls /etc/ssl/certs | wc -l") != "0");
}

TEST_CASE("preparing is finished after a crash half-way", "[host][roots]") {
    JailFixture jail;
    const auto parameters = JailFixture::root_parameters(kJail);
    value_of(jail.roots.prepare(parameters));
    fs::remove(jail.layout.jail(kJail) / "prepared");
    fs::remove(jail.layout.root(kJail) / "etc/passwd");
    fs::remove_all(jail.layout.root(kJail) / "var");
    CHECK_FALSE(value_of(jail.roots.prepared(kJail)));
    value_of(jail.roots.prepare(parameters));
    CHECK(value_of(jail.roots.prepared(kJail)));
    CHECK(fs::exists(jail.layout.root(kJail) / "etc/passwd"));
    CHECK(fs::is_directory(jail.layout.root(kJail) / "var/log"));
}

TEST_CASE("refreshing replaces links that the jail planted, and never writes through them", "[host][roots]") {
    JailFixture jail;
    const auto parameters = JailFixture::root_parameters(kJail);
    value_of(jail.roots.prepare(parameters));
    const auto root = jail.layout.root(kJail);
    const auto victim = jail.host.state_directory() / "victim";
    fs::create_directories(victim);
    write_file(victim / "resolv.conf", "precious");

    SECTION("the file") {
        fs::remove(root / "etc/resolv.conf");
        fs::create_symlink(victim / "resolv.conf", root / "etc/resolv.conf");
    }
    SECTION("the directory") {
        fs::rename(root / "etc", root / "etc2");
        fs::create_directory_symlink(victim, root / "etc");
    }
    SECTION("a directory in the file's place") {
        fs::remove(root / "etc/resolv.conf");
        fs::create_directories(root / "etc/resolv.conf/deep/er");
    }
    SECTION("a mount point") {
        fs::remove(root / "proc");
        fs::create_directory_symlink(victim, root / "proc");
    }
    value_of(jail.roots.refresh(parameters));
    CHECK(read_file(victim / "resolv.conf") == "precious");
    CHECK(std::distance(fs::directory_iterator(victim), {}) == 1);
    CHECK(fs::is_regular_file(fs::symlink_status(root / "etc/resolv.conf")));
    CHECK(fs::is_directory(fs::symlink_status(root / "proc")));
}

TEST_CASE("hosts, hostname and resolv.conf follow the spec", "[host][roots]") {
    JailFixture jail;
    auto parameters = JailFixture::root_parameters(kJail);
    value_of(jail.roots.prepare(parameters));
    parameters.hostname = "web.example";
    parameters.addresses = {value_of(Prefix::parse("10.213.0.2/24")), value_of(Prefix::parse("fd00::2/64"))};
    parameters.nameservers = {value_of(IpAddress::parse("192.0.2.53"))};
    parameters.search = {"example", "example.org"};
    value_of(jail.roots.refresh(parameters));
    const auto etc = jail.layout.root(kJail) / "etc";
    CHECK(read_file(etc / "hostname") == "web.example\n");
    CHECK(read_file(etc / "hosts").contains("10.213.0.2\tweb.example test1\n"));
    CHECK(read_file(etc / "hosts").contains("fd00::2\tweb.example test1\n"));
    CHECK(read_file(etc / "resolv.conf").ends_with("nameserver 192.0.2.53\nsearch example example.org\n"));

    parameters.hostname = "a\nb";
    CHECK(error_of(jail.roots.refresh(parameters)).field == "/hostname");
    parameters.hostname = "a";
    parameters.search = {"x\nnameserver 6.6.6.6"};
    CHECK(error_of(jail.roots.refresh(parameters)).field == "/network/search");
}

TEST_CASE("only nameservers that a jail can reach are taken from the host", "[host][roots]") {
    const auto found = kernel::etc::reachable_nameservers(
        "# nameserver 1.1.1.1\nnameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\n"
        "nameserver 192.0.2.1\n search x\n\tnameserver 2001:db8::1 # ours\nnameserver junk\nnameserver 192.0.2.2\n"
        "nameserver 192.0.2.3\n");
    REQUIRE(found.size() == 3);
    CHECK(found[0].to_string() == "192.0.2.1");
    CHECK(found[1].to_string() == "2001:db8::1");
    CHECK(found[2].to_string() == "192.0.2.2");
}

TEST_CASE("a path root is mounted as it is, and nothing is written to it", "[host][roots]") {
    JailFixture jail;
    const TempDirectory directory;
    make_path_root(directory.path());
    jail.start(kJail, path_root(directory.path()));
    CHECK(jail.observed(kJail).alive);
    CHECK(fs::exists("/proc/" + std::to_string(jail.process_of(kJail)) + "/root/proc/1"));
    value_of(jail.jails.remove(kJail));
    jail.unmount_root(kJail);

    std::set<std::string> left;
    for (const auto& entry : fs::recursive_directory_iterator(directory.path()))
        left.insert(entry.path().lexically_relative(directory.path()));
    CHECK(left == std::set<std::string>{"proc", "dev", "sys"});
    write_file(directory.path() / "kept", "x");
    value_of(jail.roots.remove(kJail));
    CHECK(read_file(directory.path() / "kept") == "x");
}

TEST_CASE("a path root that is the host, or holds or lies in the state directory, is refused", "[host][roots]") {
    JailFixture jail;
    const auto& state = jail.host.state_directory();
    const auto refused = [&](const fs::path& path) {
        INFO(path);
        const auto error = error_of(jail.roots.check(path_root(path), ""));
        CHECK(error.code == Errc::invalid);
        CHECK(error.field == "/root/path");
        return std::string(error.name());
    };
    CHECK(refused("/") == "path_refused");
    CHECK(refused("/proc/self/root") == "path_refused");
    CHECK(refused(state) == "path_refused");
    CHECK(refused(state.parent_path()) == "path_refused");
    fs::create_directories(state / "jails");
    CHECK(refused(state / "jails") == "path_refused");

    const TempDirectory elsewhere;
    fs::create_directory_symlink(state, elsewhere.path() / "link");
    CHECK(refused(elsewhere.path() / "link") == "path_refused");
    CHECK(refused(elsewhere.path() / "link/jails") == "path_refused");
    fs::create_directories(elsewhere.path() / "bound");
    REQUIRE(::mount(state.c_str(), (elsewhere.path() / "bound").c_str(), nullptr, MS_BIND, nullptr) == 0);
    CHECK(refused(elsewhere.path() / "bound") == "path_refused");
    CHECK(refused(elsewhere.path() / "bound/jails") == "path_refused");
    REQUIRE(::umount2((elsewhere.path() / "bound").c_str(), 0) == 0);

    CHECK(refused("/nonexistent") == "root_path_missing");
    write_file(elsewhere.path() / "file", "x");
    CHECK(refused(elsewhere.path() / "file") == "root_path_missing");
    CHECK(refused(elsewhere.path()) == "path_root_incomplete");
    make_path_root(elsewhere.path());
    fs::remove(elsewhere.path() / "sys");
    fs::create_directory_symlink("proc", elsewhere.path() / "sys");
    const auto error = error_of(jail.roots.check(path_root(elsewhere.path()), ""));
    CHECK(error.name() == "path_root_incomplete");
    CHECK(error.remedy == "mkdir " + (elsewhere.path() / "sys").string());
    fs::remove(elsewhere.path() / "sys");
    make_path_root(elsewhere.path());
    value_of(jail.roots.check(path_root(elsewhere.path()), ""));
    CHECK(error_of(jail.roots.check({}, "debian")).field == "/template");
}

TEST_CASE("a path root is looked at again before each start", "[host][roots]") {
    JailFixture jail;
    const TempDirectory elsewhere;
    const auto place = elsewhere.path() / "root";
    make_path_root(place);
    const auto parameters = JailFixture::root_parameters(kJail, path_root(place));
    jail.mount_root(kJail, path_root(place));
    jail.unmount_root(kJail);

    fs::remove_all(place);
    SECTION("it leads to / now") {
        fs::create_directory_symlink("/", place);
        CHECK(error_of(jail.roots.refresh(parameters)).name() == "path_refused");
        const auto mounts = value_of(jail.roots.mounts(parameters));
        CHECK(error_of(jail.mounts.mount(kJail, mounts.front())).name() == "path_refused");
    }
    SECTION("it leads to the state directory now") {
        fs::create_directory_symlink(jail.host.state_directory(), place);
        CHECK(error_of(jail.roots.refresh(parameters)).name() == "path_refused");
        const auto mounts = value_of(jail.roots.mounts(parameters));
        CHECK(error_of(jail.mounts.mount(kJail, mounts.front())).name() == "path_refused");
    }
    SECTION("it is gone") {
        CHECK(error_of(jail.roots.refresh(parameters)).name() == "root_path_missing");
    }
    CHECK(value_of(jail.mounts.list(kJail)).empty());
}

TEST_CASE("without descriptors nothing of the host's /etc is taken for gone", "[host][roots]") {
    const TempDirectory host;
    const TempDirectory shared;
    fs::create_directories(host.path() / "alternatives");
    fs::create_directories(host.path() / "ssl/certs");
    fs::create_symlink("/usr/bin/vim.tiny", host.path() / "alternatives/vi");
    fs::create_symlink("/usr/share/ca-certificates/a.crt", host.path() / "ssl/certs/a.pem");
    write_file(host.path() / "ssl/certs/all.crt", "certificates");
    value_of(kernel::copy_shared_etc(host.fd(), shared.fd()));
    const auto count = [&] {
        return std::distance(fs::recursive_directory_iterator(shared.path()), fs::recursive_directory_iterator());
    };
    REQUIRE(count() == 5);
    std::size_t failed = 0;
    for (unsigned left = 0; left < 8; ++left) {
        Result<void> copied;
        {
            const FewDescriptors few(left);
            copied = kernel::copy_shared_etc(host.fd(), shared.fd());
        }
        INFO(left << " descriptors left");
        CHECK(count() == 5);
        if (!copied) ++failed;
    }
    CHECK(failed > 0);

    fs::remove(host.path() / "alternatives/vi");
    fs::remove_all(host.path() / "ssl");
    value_of(kernel::copy_shared_etc(host.fd(), shared.fd()));
    CHECK(count() == 2);
}

TEST_CASE("a root is not taken for unprepared when nobody can look", "[host][roots]") {
    JailFixture jail;
    fs::create_directories(jail.layout.jails());
    fs::create_symlink("1", jail.layout.jail(kJail));  // ELOOP for whoever goes there
    CHECK(error_of(jail.roots.prepared(kJail)).op == "stat");
}

TEST_CASE("removing with a mount beneath is refused and deletes nothing", "[host][roots]") {
    JailFixture jail;
    jail.mount_root(kJail);
    write_file(jail.layout.root(kJail) / "home/file", "x");
    const auto error = error_of(jail.roots.remove(kJail));
    CHECK(error.code == Errc::busy);
    CHECK(read_file(jail.layout.root(kJail) / "home/file") == "x");
    CHECK(fs::exists(jail.layout.jail(kJail) / "prepared"));
    CHECK(fs::exists("/usr/bin/env"));

    jail.unmount_root(kJail);
    value_of(jail.roots.remove(kJail));
    CHECK_FALSE(fs::exists(jail.layout.jail(kJail)));
    CHECK(value_of(jail.roots.list()).empty());
    value_of(jail.roots.remove(kJail));
}

TEST_CASE("a removal that was interrupted is found again and finished", "[host][roots]") {
    JailFixture jail;
    value_of(jail.roots.prepare(JailFixture::root_parameters(kJail)));
    fs::rename(jail.layout.jail(kJail), jail.layout.jails() / "1.removing");
    CHECK(value_of(jail.roots.list()) == std::vector{kJail});
    CHECK_FALSE(value_of(jail.roots.prepared(kJail)));
    value_of(jail.roots.remove(kJail));
    CHECK(value_of(jail.roots.list()).empty());
    CHECK(fs::is_empty(jail.layout.jails()));
}

}  // namespace
}  // namespace jaild::test
