#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "tests/catch.h"
#include "tests/host/residue.h"
#include "tests/host/test_host.h"

namespace jaild::test {
namespace {

/// The three lines that jaild asks of pf.conf(5).
constexpr const char* kAnchors = "nat-anchor \"jaild/*\"\nrdr-anchor \"jaild/*\"\nanchor \"jaild/*\"\n";

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

/// Turns pf(4) on where nobody uses it. With JAILD_TEST_WITHOUT_PF in the environment it is left as it is: tests with
/// the tag [nat] cannot pass then.
void provide_pf(Undo& undo) {
    if (std::getenv("JAILD_TEST_WITHOUT_PF") != nullptr) return;
    if (::access("/dev/pf", F_OK) != 0) run_or_fail({"kldload", "pf"});
    const auto rules = run_or_fail({"pfctl", "-s", "nat"}) + run_or_fail({"pfctl", "-s", "rules"});
    if (run_or_fail({"pfctl", "-s", "info"}).contains("Status: Enabled")) {
        INFO("pf(4) is in use here; its main ruleset must have the lines\n" << kAnchors << "and has\n" << rules);
        REQUIRE(rules.contains("nat-anchor \"jaild/*\""));
        REQUIRE(rules.contains("rdr-anchor \"jaild/*\""));
        REQUIRE(("\n" + rules).contains("\nanchor \"jaild/*\""));
        return;
    }
    INFO("pf(4) is off here, but has rules: they are somebody's");
    REQUIRE(rules.empty());
    undo.add({"pfctl", "-F", "rules"});
    undo.add({"pfctl", "-F", "nat"});
    run_or_fail({"pfctl", "-f", "-"}, {.input = kAnchors});
    undo.add({"pfctl", "-d"});
    run_or_fail({"pfctl", "-e"});
}

/// Not the dying ones: TCP connections whose other end was cut off keep them for minutes, and nothing runs in them.
std::vector<std::string> jails_beneath(const std::filesystem::path& state) {
    return lines_with({"jls", "jid", "name", "path"}, state.string() + "/");
}

std::vector<std::string> interfaces_of(const InstanceId& instance) {
    std::vector<std::string> found;
    std::istringstream names(run({"ifconfig", "-l"}).value_or(Completed{}).output);
    for (std::string name; names >> name;)
        if (name.starts_with("j" + instance.text())) found.push_back(name);
    return found;
}

/// Those with rules: pf(4) keeps one with tables until the states are gone that its rules made.
std::vector<std::string> anchors_of(const InstanceId& instance) {
    auto found = lines_with({"pfctl", "-v", "-s", "Anchors"}, "jaild/" + instance.text() + "-");
    for (auto& anchor : found) anchor.erase(0, anchor.find_first_not_of(' '));
    std::erase_if(found, [](const std::string& anchor) {
        const auto empty = [&](const char* what) {
            return run({"pfctl", "-a", anchor, "-s", what}).value_or(Completed{}).output.empty();
        };
        return empty("rules") && empty("nat");
    });
    return found;
}

}  // namespace

void TestHost::make_networks() {
    host_.clear();
    for (const std::string name : {"net.inet.ip.forwarding", "net.inet6.ip6.forwarding"})
        undo_.add({"sysctl", name + "=" + first_line(run_or_fail({"sysctl", "-n", name}))});
    provide_pf(undo_);

    run_or_fail({"jail", "-c", "name=" + outside_, "host.hostname=" + outside_, "path=/", "persist", "vnet"});
    undo_.add({"jail", "-R", outside_});
    const auto host_end = first_line(run_or_fail({"ifconfig", "epair", "create"}));
    const auto outside_end = host_end.substr(0, host_end.size() - 1) + "b";
    run_or_fail({"ifconfig", host_end, "name", Cable::interface});
    undo_.add({"ifconfig", Cable::interface, "destroy"});
    run_or_fail({"ifconfig", Cable::interface, "description", "jaild test " + instance_.text()});
    run_or_fail({"ifconfig", outside_end, "vnet", outside_});
    const auto configure = [](const Argv& where, const std::string& interface, const std::string& ipv4,
                              const std::string& ipv6) {
        const auto ifconfig = [&](const Argv& arguments) {
            auto argv = where;
            argv.insert(argv.end(), {"ifconfig", interface});
            argv.insert(argv.end(), arguments.begin(), arguments.end());
            run_or_fail(argv);
        };
        ifconfig({"inet", ipv4 + "/24", "up"});
        ifconfig({"inet6", "-ifdisabled", "no_dad"});
        ifconfig({"inet6", ipv6, "prefixlen", "64"});
    };
    configure({}, Cable::interface, Cable::host4, Cable::host6);
    configure(outside({}), outside_end, Cable::outside4, Cable::outside6);
}

void TestHost::filter_bridges() {
    run_or_fail({"kldload", "-n", "if_bridge"});
    for (const std::string name : {"net.link.bridge.pfil_member", "net.link.bridge.pfil_local_phys"}) {
        undo_.add({"sysctl", name + "=" + first_line(run_or_fail({"sysctl", "-n", name}))});
        run_or_fail({"sysctl", name + "=1"});
    }
}

bool TestHost::redirects_its_own() {
    return false;
}

void TestHost::clean() const {
    for (const auto& line : jails_beneath(state_)) (void)run({"jail", "-R", line.substr(0, line.find(' '))});
    for (const auto& instance : instances_) {
        residue::kill_all(residue::processes_of(instance, state_));
        for (const auto& name : interfaces_of(instance)) (void)run({"ifconfig", name, "destroy"});
        for (const auto& anchor : anchors_of(instance))
            for (const char* what : {"rules", "nat"}) (void)run({"pfctl", "-a", anchor, "-F", what});
    }
    for (const auto& mount : residue::mounts_beneath(state_)) residue::unmount(mount);
}

std::unique_ptr<TestHost::Entered> TestHost::enter() const {
    return std::make_unique<Entered>();
}

Argv TestHost::on_host(const Argv& argv) const {
    return argv;
}
Argv TestHost::outside(const Argv& argv) const {
    Argv whole{"jexec", outside_};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return whole;
}

Argv TestHost::on_another_machine(const Argv& argv) const {
    Argv whole{"jail", "-c", "path=/", "host.hostuuid=01234567-89ab-cdef-0123-456789abcdef", "command=/usr/bin/env"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return whole;
}

std::vector<std::string> TestHost::leftovers() const {
    std::vector<std::string> found;
    const auto add = [&found](const std::string& kind, const auto& items) {
        for (const auto& item : items) found.push_back(kind + ' ' + item);
    };
    for (const auto& instance : instances_) {
        add("interface", interfaces_of(instance));
        add("marked", lines_with({"ifconfig", "-a"}, "jaild:" + instance.text() + ":"));
        add("anchor", anchors_of(instance));
    }
    add("jail", jails_beneath(state_));
    add("mount", residue::mounts_beneath(state_));
    for (const pid_t process : residue::processes_of(instance_, state_)) found.push_back(residue::describe(process));
    return found;
}

}  // namespace jaild::test
