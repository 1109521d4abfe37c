#include <linux/seccomp.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "core/kernel/linux/apparmor.h"
#include "core/kernel/linux/capabilities.h"
#include "core/kernel/linux/oci_config.h"
#include "core/kernel/linux/seccomp_profile.h"
#include "tests/host/jail_fixture_linux.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

/// The value of "Name:\t…" in /proc/<pid>/status.
std::string status_field(const std::string& status, const std::string& name) {
    const auto at = status.find("\n" + name + ":\t");
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 3;
    return status.substr(begin, status.find('\n', begin) - begin);
}

std::string hex(std::uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

TEST_CASE("every process of a jail is confined by capabilities, no_new_privs and seccomp", "[host][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    const auto process_one = read_file("/proc/" + std::to_string(jail.process_of(kJail)) + "/status");
    const auto executed = jail.output_in_jail(kJail, "cat /proc/self/status");
    for (const auto& status : {process_one, executed}) {
        INFO(status);
        const auto most = hex(kernel::jail_capability_mask());
        CHECK(status_field(status, "CapBnd") == most);
        CHECK(status_field(status, "CapPrm") == most);
        CHECK(status_field(status, "CapEff") == most);
        CHECK(status_field(status, "CapInh") == hex(0));
        CHECK(status_field(status, "CapAmb") == hex(0));
        CHECK(status_field(status, "NoNewPrivs") == "1");
        CHECK(status_field(status, "Seccomp") == std::to_string(SECCOMP_MODE_FILTER));
    }
}

TEST_CASE("calls that leave or change the confinement are refused", "[host][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    const auto refused = [&](const std::string& line) {
        INFO(line);
        CHECK(jail.status_in_jail(kJail, line + " >/dev/null 2>&1") != 0);
    };
    refused("mount -t tmpfs none /mnt");
    refused("mount --bind /etc /mnt");
    refused("umount /usr");
    refused("umount /proc");
    refused("unshare --user true");
    refused("unshare --mount true");
    refused("nsenter --target 1 --uts true");
    refused("hostname other");
    refused("mknod /tmp/disk b 8 0");
    refused("mknod /tmp/null c 1 3");
    refused("chown root /usr/bin/env");
    refused("date --set '2001-01-01'");
    refused("dmesg");
    refused("ip link set lo down");

    // The calls themselves, without a program that might have refused by itself: EPERM, or ENOSYS for what a program
    // should take as not there.
    const auto number = [&](const std::string& code) {
        return jail.output_in_jail(kJail, "perl -e '$! = 0; my $r = " + code + "; print $r < 0 ? $!+0 : \"done\"'");
    };
    if (jail.status_in_jail(kJail, "command -v perl >/dev/null") != 0) return;
#if defined(__x86_64__)
    CHECK(number("syscall(165, 0, 0, 0, 0, 0)") == "1");           // mount(2)
    CHECK(number("syscall(272, 0x10000000)") == "1");              // unshare(CLONE_NEWUSER)
    CHECK(number("syscall(250, 0, -3, 0)") == "1");                // keyctl(KEYCTL_GET_KEYRING_ID)
    CHECK(number("syscall(321, 0, 0, 0)") == "1");                 // bpf(2)
    CHECK(number("syscall(56, 0x10000011, 0, 0, 0, 0)") == "38");  // clone(CLONE_NEWUSER | SIGCHLD)
    CHECK(number("syscall(435, 0, 0)") == "38");                   // clone3(2)
    CHECK(number("syscall(425, 1, 0)") == "38");                   // io_uring_setup(2)
    CHECK(number("syscall(41, 40, 1, 0)") == "38");                // socket(AF_VSOCK)
    CHECK(number("syscall(41, 16, 3, 9)") == "38");                // socket(AF_NETLINK, NETLINK_AUDIT)
    CHECK(number("syscall(41, 16, 3, 0)") == "done");              // socket(AF_NETLINK, NETLINK_ROUTE)
#endif
}

TEST_CASE("the kernel's own files are masked or read-only, devices are the harmless ones", "[host][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    const auto refused = [&](const std::string& line) {
        INFO(line);
        CHECK(jail.status_in_jail(kJail, "{ " + line + "; } >/dev/null 2>&1") != 0);
    };
    refused("echo h > /proc/sysrq-trigger");
    refused("echo 1 > /proc/sys/kernel/sysrq");
    refused("echo x > /proc/sys/kernel/core_pattern");
    refused("echo 1 > /sys/fs/cgroup/pids/cgroup.procs");
    refused("echo $$ > /sys/fs/cgroup/cgroup.procs");
    refused("mkdir /sys/fs/cgroup/x");
    refused("echo x > /dev/.jaild-pause");
    refused("head -c1 /dev/mem");
    CHECK(jail.output_in_jail(kJail, "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c") == "0");
    CHECK(jail.output_in_jail(kJail, "ls /sys/firmware | wc -l") == "0");
    CHECK(jail.output_in_jail(kJail, "ls -A /dev | tr '\\n' ' '") ==
          ".jaild-pause fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ");
    CHECK(jail.output_in_jail(kJail, "head -c8 /dev/urandom | wc -c") == "8");
}

TEST_CASE("what podman hides of the kernel is hidden, and its debug messages are nobody's to switch",
          "[host][confinement]") {
    JailFixture jail;
    const auto config = kernel::oci_config(jail.layout, JailFixture::jail_parameters(kJail), "");
    const auto masked = config.at("linux").at("maskedPaths").get<std::set<std::string>>();
    for (const auto* path :
         {"/proc/acpi", "/proc/asound", "/proc/dynamic_debug", "/proc/interrupts", "/proc/kcore", "/proc/keys",
          "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
          "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux"}) {
        INFO(path);
        CHECK(masked.contains(path));
    }
    for (const auto& entry : fs::directory_iterator("/sys/devices/system/cpu")) {
        const auto thermal = entry.path() / "thermal_throttle";
        CHECK(masked.contains(thermal) == fs::exists(thermal));
    }
    jail.start(kJail);
    CHECK(jail.output_in_jail(kJail, "cat /proc/dynamic_debug/control 2>/dev/null | wc -c") == "0");
}

TEST_CASE("a jail runs under our AppArmor profile where the host has AppArmor", "[host][confinement]") {
    namespace apparmor = kernel::apparmor;
    JailFixture jail;
    const auto parameters = JailFixture::jail_parameters(kJail);
    CHECK(kernel::oci_config(jail.layout, parameters, "some-profile").at("process").at("apparmorProfile") ==
          "some-profile");
    CHECK_FALSE(kernel::oci_config(jail.layout, parameters, "").at("process").contains("apparmorProfile"));

    jail.start(kJail);
    if (apparmor::state() == apparmor::State::loaded) {
        for (const auto* process : {"1", "self"})
            CHECK(jail.output_in_jail(kJail, "cat /proc/" + std::string(process) + "/attr/current")
                      .starts_with("jaild-default ("));
    } else {
        WARN("this host has no AppArmor: the profile is not tried out");
    }
    const auto compiled = run({"apparmor_parser", "--skip-kernel-load", "--skip-cache"},
                              {.input = std::string(apparmor::profile_text())});
    if (!compiled) WARN("this host has no apparmor_parser: the profile is not compiled");
    if (compiled) CHECK(compiled->exit_code == 0);
}

TEST_CASE("root in a jail cannot write to the host's userland, and can to its own", "[host][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    CHECK(jail.output_in_jail(kJail, "touch /usr/bin/env 2>&1 || true").contains("Read-only file system"));
    CHECK(jail.output_in_jail(kJail, "echo >> /bin/sh 2>&1 || true").empty());
    CHECK(jail.output_in_jail(kJail, "(echo >> /usr/bin/env) 2>&1 || true").contains("Read-only file system"));
    CHECK(jail.output_in_jail(kJail, "touch /usr/local/a /etc/a /var/a /home/a /root/a /tmp/a && echo written") ==
          "written");
    CHECK(jail.output_in_jail(kJail, "id -u; echo $$ | grep -c .") == "0\n1");
}

TEST_CASE("a jail has a bounded number of processes", "[host][confinement]") {
    JailFixture jail;
    jail.start(kJail);
    CHECK(jail.output_in_jail(kJail, "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true") ==
          "2048");
}

TEST_CASE("nothing is allowed that podman's default profile refuses", "[host][confinement]") {
    const char* const file = "/usr/share/containers/seccomp.json";
    const auto* const elsewhere = std::getenv("JAILD_TEST_SECCOMP_PROFILE");
    const auto text = read_file(elsewhere != nullptr ? elsewhere : file);
    if (text.empty()) {
        WARN(file << " (golang-github-containers-common) is not installed: not compared");
        return;
    }
    std::set<std::string> theirs;
    std::set<std::string> theirs_conditional;
    const auto profile = nlohmann::json::parse(text);
    for (const auto& rule : profile.at("syscalls")) {
        if (rule.at("action") != "SCMP_ACT_ALLOW") continue;
        const auto needed = rule.value("includes", nlohmann::json::object()).value("caps", nlohmann::json::array());
        const bool ours = std::all_of(needed.begin(), needed.end(), [](const nlohmann::json& name) {
            return std::ranges::any_of(kernel::kJailCapabilities,
                                       [&](const kernel::Capability& own) { return name == own.name; });
        });
        if (!ours) continue;
        const bool conditional = rule.contains("args") && !rule["args"].is_null() && !rule["args"].empty();
        for (const auto& name : rule.at("names")) (conditional ? theirs_conditional : theirs).insert(name);
    }
    REQUIRE(theirs.size() > 300);
    for (const auto name : kernel::allowed_calls()) {
        INFO(name);
        CHECK(theirs.contains(std::string(name)));
    }
    for (const auto& call : kernel::conditional_calls()) {
        INFO(call.name);
        const std::string name(call.name);
        CHECK((theirs.contains(name) || theirs_conditional.contains(name)));
    }
    for (const auto name : kernel::refused_calls()) {
        INFO(name);
        CHECK(std::ranges::find(kernel::allowed_calls(), name) == kernel::allowed_calls().end());
    }
}

}  // namespace
}  // namespace jaild::test
