#include <algorithm>

#include "core/kernel/linux/apparmor.h"
#include "core/kernel/linux/host.h"
#include "core/kernel/linux/host_checks.h"
#include "tests/host/link_fixture_linux.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
using model::CheckState;

namespace {

model::Check check_of(const TestHost& host, const std::string& name) {
    kernel::LinuxHost linux_host(host.options());
    const auto checks = value_of(linux_host.checks());
    const auto found = std::ranges::find(checks, name, &model::Check::name);
    REQUIRE(found != checks.end());
    INFO(found->detail);
    CHECK((found->state == CheckState::ok || !found->remedy.empty()));
    return *found;
}

/// The remedy as an admin would paste it.
void follow(const TestHost& host, const model::Check& check) {
    INFO(check.remedy);
    host.run_on_host({"sh", "-c", check.remedy});
}

}  // namespace

TEST_CASE("a host says what it is, and the same identity each time", "[checks]") {
    TestHost host;
    kernel::LinuxHost linux_host(host.options());
    const auto facts = value_of(linux_host.facts());
    CHECK(facts.os == "Linux");
    CHECK(facts.kernel_driver == "linux");
    CHECK_FALSE(facts.release.empty());
    CHECK(facts.network_modes == std::vector<std::string>{"vnet", "inherit", "none"});
    CHECK(facts.root_kinds == std::vector<std::string>{"thin", "copy", "path"});
    CHECK(value_of(linux_host.identity()) == value_of(linux_host.identity()));
}

TEST_CASE("a kernel is new enough, or the check names what it lacks", "[checks]") {
    for (const char* release : {"5.12.0", "5.12", "6.1.0-18-amd64", "10.0"}) {
        INFO(release);
        CHECK(kernel::check_kernel(release).state == CheckState::ok);
    }
    for (const char* release : {"5.11.22", "4.19.0-26-amd64", "5", "", "nonsense"}) {
        INFO(release);
        CHECK(kernel::check_kernel(release).state == CheckState::problem);
        CHECK_FALSE(kernel::check_kernel(release).remedy.empty());
    }
}

TEST_CASE("this machine has what jails need", "[checks]") {
    TestHost host;
    const auto entered = host.enter();
    for (const char* name : {"kernel", "oci_runtime", "cgroups", "nftables", "state_directory"}) {
        CHECK(check_of(host, name).state == CheckState::ok);
    }
}

TEST_CASE("a module is there, can be loaded, or is said to be missing", "[checks]") {
    const TempDirectory scratch;
    const auto states = [&] {
        std::string text;
        for (const auto& check : kernel::check_modules("6.1.0", scratch.path() / "sys", scratch.path() / "modules")) {
            CHECK((check.state == CheckState::ok || !check.remedy.empty()));
            text += check.name + ": " + check.detail.substr(0, check.detail.find(' ')) + "\n";
        }
        return text;
    };
    CHECK(states() == "module_veth: not\nmodule_bridge: not\nmodule_nf_tables: not\n");

    const auto modules = scratch.path() / "modules/6.1.0";
    std::filesystem::create_directories(scratch.path() / "sys/module/bridge");
    std::filesystem::create_directories(modules);
    value_of(files::write_atomic(modules / "modules.builtin", "kernel/net/not-veth.ko\n", 0644));
    value_of(files::write_atomic(modules / "modules.dep",
                                 "kernel/net/x.ko: kernel/drivers/net/veth.ko\n"
                                 "kernel/net/netfilter/nf_tables.ko.xz: kernel/net/netfilter/nfnetlink.ko.xz\n",
                                 0644));
    CHECK(states() == "module_veth: veth\nmodule_bridge: there\nmodule_nf_tables: loaded\n");
    value_of(files::write_atomic(modules / "modules.builtin", "kernel/drivers/net/veth.ko", 0644));
    CHECK(states() == "module_veth: there\nmodule_bridge: there\nmodule_nf_tables: loaded\n");
}

TEST_CASE("a check's remedy mends what it found", "[checks]") {
    TestHost host;
    const auto entered = host.enter();
    for (const char* name : {"ipv4_forwarding", "ipv6_forwarding"}) {
        const auto before = check_of(host, name);
        CHECK(before.state == CheckState::warning);
        follow(host, before);
        CHECK(check_of(host, name).state == CheckState::ok);
    }
}

TEST_CASE("a default route by advertisement that forwarding would end is warned of", "[checks]") {
    TestHost host;
    const auto entered = host.enter();
    CHECK(check_of(host, "router_advertisements").state == CheckState::ok);
    host.run_on_host(words("ip -6 route replace default via 2001:db8::1 proto ra"));
    const auto warned = check_of(host, "router_advertisements");
    CHECK(warned.state == CheckState::warning);
    CHECK(warned.detail.ends_with(" uplink"));
    follow(host, warned);
    CHECK(check_of(host, "router_advertisements").state == CheckState::ok);
}

TEST_CASE("another table that drops what is forwarded is warned of, with rules that let jails out", "[checks]") {
    TestHost host;
    const auto entered = host.enter();
    CHECK(check_of(host, "forward_policy").state == CheckState::ok);
    host.run_on_host(
        {"nft", "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }"});
    const auto warned = check_of(host, "forward_policy");
    CHECK(warned.state == CheckState::warning);
    CHECK(warned.detail.find("ip filter FORWARD") != std::string::npos);
    follow(host, warned);
    const auto rules = host.run_on_host({"nft", "list", "chain", "ip", "filter", "FORWARD"});
    CHECK(rules.find("iifname \"j" + host.instance().text() + "*\" accept") != std::string::npos);
}

TEST_CASE("AppArmor or SELinux that is on but does not confine jails is warned of", "[checks]") {
    const TempDirectory sys;
    const auto write = [&](const std::filesystem::path& file, const std::string& text) {
        std::filesystem::create_directories((sys.path() / file).parent_path());
        value_of(files::write_atomic(sys.path() / file, text, 0644));
    };
    namespace apparmor = kernel::apparmor;
    CHECK(apparmor::state(sys.path()) == apparmor::State::off);
    CHECK(kernel::check_mandatory_access(sys.path()).state == CheckState::ok);

    write("module/apparmor/parameters/enabled", "N\n");
    CHECK(apparmor::state(sys.path()) == apparmor::State::off);
    write("module/apparmor/parameters/enabled", "Y\n");
    CHECK(apparmor::state(sys.path()) == apparmor::State::missing);
    write("kernel/security/apparmor/profiles", "docker-default (enforce)\nnot-jaild-default (enforce)\n");
    CHECK(apparmor::state(sys.path()) == apparmor::State::missing);
    const auto unloaded = kernel::check_mandatory_access(sys.path());
    const bool loadable = run({"apparmor_parser", "--version"}).has_value();
    CHECK((unloaded.state == CheckState::ok) == loadable);
    CHECK(unloaded.detail.contains("jaild-default"));
    write("kernel/security/apparmor/profiles", "docker-default (enforce)\njaild-default (enforce)\n");
    CHECK(apparmor::state(sys.path()) == apparmor::State::loaded);
    CHECK(kernel::check_mandatory_access(sys.path()).state == CheckState::ok);

    write("fs/selinux/enforce", "0");
    CHECK(kernel::check_mandatory_access(sys.path()).state == CheckState::ok);
    write("fs/selinux/enforce", "1");
    const auto enforcing = kernel::check_mandatory_access(sys.path());
    CHECK(enforcing.state == CheckState::warning);
    CHECK(enforcing.detail.contains("SELinux"));
    CHECK_FALSE(enforcing.remedy.empty());
}
