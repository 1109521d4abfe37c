#include "core/kernel/names.h"
#include "tests/host/by_hand.h"

namespace jaild::test::by_hand {

void kill_jail(const Client& /*client*/, const std::string& name) {
    run_or_fail({"jail", "-R", name});
}

void delete_link(const TestHost& host, const Client& client, const std::string& name) {
    host.run_on_host(
        {"ifconfig", kernel::pair_name(client.instance(), {client.id(name)}, kernel::PairEnd::host), "destroy"});
}

void delete_address(const TestHost& host, const std::string& interface, const std::string& address) {
    host.run_on_host({"ifconfig", interface, "inet", address, "-alias"});
}

void set_isolated(const TestHost& host, const Client& client, const std::string& name, NetworkId network,
                  bool isolated) {
    const auto end = kernel::pair_name(client.instance(), {client.id(name)}, kernel::PairEnd::host);
    host.run_on_host(
        {"ifconfig", kernel::bridge_name(client.instance(), network), isolated ? "private" : "-private", end});
}

void leave_bridge(const TestHost& host, const std::string& interface, const std::string& bridge) {
    host.run_on_host({"ifconfig", bridge, "deletem", interface});
}

void add_detour(const Client& client, const std::string& name, const std::string& address, const std::string& gateway) {
    const auto* family = address.contains(':') ? "-6" : "-4";
    run_or_fail({"jexec", client.network_of(name), "route", family, "add", "-host", address, gateway});
}

void unmount(const std::filesystem::path& target) {
    run_or_fail({"umount", "-f", target.string()});
}

std::vector<std::string> some_mounts() {
    return {"root/usr/share", "root/usr/lib"};
}

void delete_rules(const TestHost& host, const Client& client, Rules which) {
    const auto anchor = kernel::network_anchor(client.instance(), NetworkId{1});
    host.run_on_host({"pfctl", "-a", anchor, "-F", "rules"});
    if (which == Rules::all) host.run_on_host({"pfctl", "-a", anchor, "-F", "nat"});
}

}  // namespace jaild::test::by_hand
