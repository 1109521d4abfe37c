#include <sstream>

#include "tests/host/lan.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

std::string first_word(const std::string& text) {
    return text.substr(0, text.find_first_of(" \n"));
}

void add_addresses(Argv ifconfig, const std::string& ipv4, const std::string& ipv6) {
    const auto run = [&](const Argv& arguments) {
        auto argv = ifconfig;
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        run_or_fail(argv);
    };
    run({"inet", ipv4 + "/24", "up"});
    run({"inet6", "-ifdisabled", "no_dad"});
    run({"inet6", ipv6, "prefixlen", "64"});
}

}  // namespace

Lan::Lan(const TestHost& host) : host_(host), machine_(host.outside_name() + "-lan") {
    run_or_fail({"jail", "-c", "name=" + machine_, "host.hostname=" + machine_, "path=/", "persist", "vnet"});
    undo_.add({"jail", "-R", machine_});
    const auto host_end = first_word(run_or_fail({"ifconfig", "epair", "create"}));
    machine_end_ = host_end.substr(0, host_end.size() - 1) + "b";
    run_or_fail({"ifconfig", host_end, "name", cable});
    undo_.add({"ifconfig", cable, "destroy"});
    run_or_fail({"ifconfig", cable, "up"});
    run_or_fail({"ifconfig", machine_end_, "vnet", machine_});
    add_addresses({"jexec", machine_, "ifconfig", machine_end_}, machine4, machine6);
}

Lan::~Lan() = default;

void Lan::make_bridge() {
    const auto made = first_word(run_or_fail({"ifconfig", "bridge", "create"}));
    run_or_fail({"ifconfig", made, "name", bridge});
    undo_.add({"ifconfig", bridge, "destroy"});
    run_or_fail({"ifconfig", bridge, "addm", cable});
    add_addresses({"ifconfig", bridge}, host4, host6);
}

void Lan::add_address_beyond() const {
    run_or_fail({"jexec", machine_, "ifconfig", "lo0", "inet", std::string(beyond4) + "/32", "up"});
    run_or_fail({"jexec", machine_, "ifconfig", "lo0", "inet6", beyond6, "prefixlen", "128"});
}

bool Lan::join_vlan() const {
    const auto made = first_word(run_or_fail({"jexec", machine_, "ifconfig", "vlan", "create"}));
    run_or_fail({"jexec", machine_, "ifconfig", made, "vlan", std::to_string(vlan), "vlandev", machine_end_});
    add_addresses({"jexec", machine_, "ifconfig", made}, tagged4, tagged6);
    return true;
}

std::string Lan::settings(const std::string& interface) const {
    std::istringstream lines(host_.run_on_host({"ifconfig", interface}));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const bool set = line.starts_with(interface + ":") || line.contains("ether ") ||
                         line.contains("description:") ||
                         (line.contains("inet") && !line.contains("fe80:") && !line.contains("nd6"));
        if (set) text += line + "\n";
    }
    return text;
}

std::string Lan::bridge_of(const std::string& interface) const {
    std::istringstream names(host_.run_on_host({"ifconfig", "-g", "bridge"}));
    for (std::string name; names >> name;)
        if (!lines_with(host_.on_host({"ifconfig", name}), "member: " + interface + " ").empty()) return name;
    return {};
}

}  // namespace jaild::test
