#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/uts.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "tests/few_descriptors.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/host/residue_linux.h"

namespace jaild::test {
namespace {

const kernel::Applied kNothing;

namespace fs = std::filesystem;
constexpr JailId kFirst{1};

std::string namespace_link(std::int64_t pid, const std::string& kind) {
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + kind);
}

/// One that ended but was not waited for yet lives no more.
bool lives(std::int64_t pid) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
    return !status.empty() && !status.contains("State:\tZ");
}

TEST_CASE("a created jail runs in namespaces of its own and reports its hostname", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);

    const auto seen = jail.observed(kFirst);
    CHECK(seen.alive);
    CHECK(seen.hostname == "host1");
    CHECK(seen.name == jail.layout.container(kFirst));
    REQUIRE(seen.pid > 0);
    for (const char* kind : {"pid", "mnt", "uts", "ipc", "net", "cgroup"}) {
        INFO(kind);
        CHECK(namespace_link(seen.pid, kind) != fs::read_symlink(fs::path("/proc/self/ns") / kind));
    }
    CHECK(jail.output_in_jail(kFirst, "hostname; cat /proc/1/comm") == "host1\n.jaild-pause");
    CHECK(jail.output_in_jail(kFirst, "cat /sys/class/net/lo/flags") == "0x9");  // IFF_UP | IFF_LOOPBACK
}

TEST_CASE("creating a running jail again changes nothing", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto before = jail.observed(kFirst);
    value_of(jail.jails.create(JailFixture::jail_parameters(kFirst)));
    CHECK(jail.observed(kFirst) == before);
}

TEST_CASE("a list of all jails agrees with looking at each", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    jail.start(JailId{36});
    const auto all = value_of(jail.jails.list({}));
    REQUIRE(all.size() == 2);
    CHECK(all[0] == jail.observed(kFirst));
    CHECK(all[1] == jail.observed(JailId{36}));
}

TEST_CASE("a changed hostname is live, and the host keeps its own", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto host_name = read_file("/proc/sys/kernel/hostname");
    auto changed = JailFixture::jail_parameters(kFirst);
    changed.hostname = "renamed";
    value_of(jail.jails.update(changed));
    CHECK(jail.observed(kFirst).hostname == "renamed");
    CHECK(jail.output_in_jail(kFirst, "hostname") == "renamed");
    CHECK(read_file("/proc/sys/kernel/hostname") == host_name);
}

TEST_CASE("a removed jail leaves no process, cgroup, namespace or record", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto pid = jail.observed(kFirst).pid;
    CHECK(jail.status_in_jail(kFirst, "sleep 1000 >/dev/null 2>&1 </dev/null &") == 0);
    REQUIRE(residue::processes_of(jail.host.instance(), jail.host.state_directory()).size() >= 2);

    value_of(jail.jails.remove(kFirst));
    CHECK(value_of(jail.jails.list({})).empty());
    CHECK_FALSE(lives(pid));
    CHECK(residue::processes_of(jail.host.instance(), jail.host.state_directory()).empty());
    CHECK(residue::groups_of(jail.host.instance()).empty());
    CHECK(residue::namespaces_of(jail.host.instance()).empty());
    CHECK(residue::runtime_directories_of(jail.host.instance()).empty());
    CHECK_FALSE(fs::exists(jail.layout.bundle(kFirst)));
    value_of(jail.jails.remove(kFirst));  // again: nothing to do
}

TEST_CASE("a killed jail is seen as remains, and made anew", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto before = jail.observed(kFirst).pid;
    REQUIRE(::kill(static_cast<pid_t>(before), SIGKILL) == 0);
    REQUIRE(eventually([&] { return !jail.observed(kFirst).alive; }));
    CHECK(jail.observed(kFirst).hostname.empty());
    value_of(jail.jails.create(JailFixture::jail_parameters(kFirst)));
    CHECK(jail.observed(kFirst).alive);
    CHECK(jail.observed(kFirst).pid != before);
}

TEST_CASE("process 1 ends on SIGTERM and reaps orphans", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    CHECK(jail.status_in_jail(kFirst, "(sh -c 'exit 3' & exit 0)") == 0);
    CHECK(eventually(
        [&] { return jail.output_in_jail(kFirst, "cat /proc/[0-9]*/stat | grep -c ' Z ' || true") == "0"; }));
    REQUIRE(::kill(static_cast<pid_t>(jail.observed(kFirst).pid), SIGTERM) == 0);
    CHECK(eventually([&] { return !jail.observed(kFirst).alive; }));
}

TEST_CASE("a container that was created but never started is no running jail", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    // What a crash between the runtime's two steps leaves: the pipe on which process 1 waits is still there.
    const auto fifo = jail.layout.runtime_state(kFirst) / "exec.fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK_FALSE(jail.observed(kFirst).alive);
    value_of(jail.jails.create(JailFixture::jail_parameters(kFirst)));
    CHECK(jail.observed(kFirst).alive);
}

TEST_CASE("remains without a record are found and removed", "[host][jails]") {
    JailFixture jail;
    SECTION("a network namespace") {
        value_of(kernel::netns::create(jail.layout.container(kFirst)));
    }
    SECTION("a control group with a process in it") {
        jail.start(kFirst);
        fs::remove_all(jail.layout.runtime_state(kFirst));
        value_of(kernel::netns::remove(jail.layout.container(kFirst)));
    }
    SECTION("a half-written record") {
        jail.start(kFirst);
        const auto record = jail.layout.runtime_state(kFirst) / "state.json";
        write_file(record, read_file(record).substr(0, 20));
    }
    const auto seen = jail.observed(kFirst);
    CHECK_FALSE(seen.alive);
    CHECK(value_of(jail.jails.list({})) == std::vector{seen});
    value_of(jail.jails.remove(kFirst));
    CHECK(value_of(jail.jails.list({})).empty());
    CHECK(residue::processes_of(jail.host.instance(), jail.host.state_directory()).empty());
}

TEST_CASE("a pid that was used again is not taken for the jail", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto pid = jail.observed(kFirst).pid;
    const auto record = jail.layout.runtime_state(kFirst) / "state.json";
    // The same record with the pid of a process that started at another time: this test itself.
    auto text = read_file(record);
    const auto old = "\"init_process_pid\":" + std::to_string(pid);
    REQUIRE(text.contains(old));
    text.replace(text.find(old), old.size(), "\"init_process_pid\":" + std::to_string(::getpid()));
    write_file(record, text);
    CHECK_FALSE(jail.observed(kFirst).alive);
    value_of(jail.jails.remove(kFirst));  // and this process lives
    CHECK_FALSE(lives(pid));
}

TEST_CASE("a hostname is set in a jail that is still the same, and never on the host", "[host][jails]") {
    JailFixture jail;
    jail.start(kFirst);
    const auto host_name = read_file("/proc/sys/kernel/hostname");
    auto other = jail.first_process(kFirst).value();
    ++other.started;
    CHECK(error_of(kernel::uts::set_hostname(other, "stolen")).code == Errc::not_found);
    const kernel::ProcessIdentity own{.pid = ::getpid(), .started = value_of(shim::start_time(::getpid())).value()};
    CHECK(error_of(kernel::uts::set_hostname(own, "stolen")).code == Errc::conflict);
    CHECK(jail.observed(kFirst).hostname == "host1");
    CHECK(read_file("/proc/sys/kernel/hostname") == host_name);
    CHECK(value_of(kernel::uts::hostnames({other, own})) == std::vector<std::optional<std::string>>(2));
}

TEST_CASE("a root without its mount points is refused before anything is made in it", "[host][jails]") {
    JailFixture jail;
    jail.mount_root(kFirst);
    fs::remove(jail.layout.root(kFirst) / "proc");
    fs::create_symlink("/etc", jail.layout.root(kFirst) / "proc");
    const auto error = error_of(jail.jails.create(JailFixture::jail_parameters(kFirst)));
    CHECK(error.name() == "root_incomplete");
    CHECK(error.detail.contains("/proc"));
    CHECK(value_of(jail.jails.list({})).empty());
}

TEST_CASE("the hint of what was applied is kept with its secrets for root alone", "[host][jails]") {
    JailFixture jail;
    value_of(jail.roots.prepare(JailFixture::root_parameters(kFirst)));
    CHECK(value_of(jail.jails.applied(kFirst)) == kNothing);
    const kernel::Applied applied{.generation = 7, .incarnation = 3, .complete = true, .spec = "{\"secret\":1}"};
    value_of(jail.jails.record(kFirst, applied));
    CHECK(value_of(jail.jails.applied(kFirst)) == applied);
    const auto file = jail.layout.jail(kFirst) / "applied.json";
    CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    write_file(file, "{\"generation\": 7");
    CHECK(value_of(jail.jails.applied(kFirst)) == kNothing);

    // What cannot be read now is not lost.
    value_of(jail.jails.record(kFirst, applied));
    const FewDescriptors none(0);
    CHECK(error_of(jail.jails.applied(kFirst)).code == Errc::exhausted);
}

}  // namespace
}  // namespace jaild::test
