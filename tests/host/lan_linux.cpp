#include <nlohmann/json.hpp>

#include "core/kernel/linux/netns.h"
#include "tests/host/lan.h"
#include "tests/results.h"

namespace jaild::test {

Lan::Lan(const TestHost& host) : host_(host), machine_(host.outside_name() + "-lan") {
    value_of(kernel::netns::create(machine_));
    undo_.add({"ip", "netns", "delete", machine_});
    run_or_fail({"ip", "-n", host.host_name(), "link", "add", cable, "type", "veth", "peer", "name", "cable", "netns",
                 machine_});
    // A bridge has the lowest address of its members; a network card's is lower than those that jaild gives (fe:…).
    host.run_on_host({"ip", "link", "set", cable, "address", "06:00:00:00:00:01"});
    host.run_on_host({"ip", "link", "set", cable, "up"});
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(machine4) + "/24", "dev", "cable"});
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(machine6) + "/64", "dev", "cable", "nodad"});
    run_or_fail({"ip", "-n", machine_, "link", "set", "cable", "up"});
}

Lan::~Lan() = default;

void Lan::make_bridge() {
    host_.run_on_host({"ip", "link", "add", bridge, "type", "bridge"});
    host_.run_on_host({"ip", "link", "set", cable, "master", bridge});
    host_.run_on_host({"ip", "address", "add", std::string(host4) + "/24", "dev", bridge});
    host_.run_on_host({"ip", "address", "add", std::string(host6) + "/64", "dev", bridge, "nodad"});
    host_.run_on_host({"ip", "link", "set", bridge, "up"});
}

void Lan::add_address_beyond() const {
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(beyond4) + "/32", "dev", "lo"});
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(beyond6) + "/128", "dev", "lo", "nodad"});
}

bool Lan::join_vlan() const {
    const auto made = run({"ip", "-n", machine_, "link", "add", "link", "cable", "name", "tagged", "type", "vlan", "id",
                           std::to_string(vlan)});
    if (!made || made->exit_code != 0) return false;
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(tagged4) + "/24", "dev", "tagged"});
    run_or_fail({"ip", "-n", machine_, "address", "add", std::string(tagged6) + "/64", "dev", "tagged", "nodad"});
    run_or_fail({"ip", "-n", machine_, "link", "set", "tagged", "up"});
    return true;
}

std::string Lan::settings(const std::string& interface) const {
    const auto shown =
        nlohmann::json::parse(host_.run_on_host({"ip", "-json", "address", "show", "dev", interface})).at(0);
    std::string text = shown.at("address").get<std::string>() + " " + shown.at("mtu").dump();
    for (const auto& flag : shown.at("flags"))
        if (flag != "LOWER_UP") text += " " + flag.get<std::string>();
    for (const auto& address : shown.at("addr_info"))
        if (address.at("scope") != "link") text += " " + address.at("local").get<std::string>();
    return text + " " + shown.value("ifalias", "");
}

std::string Lan::bridge_of(const std::string& interface) const {
    return nlohmann::json::parse(host_.run_on_host({"ip", "-json", "link", "show", "dev", interface}))
        .at(0)
        .value("master", "");
}

}  // namespace jaild::test
