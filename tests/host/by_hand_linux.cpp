#include "core/kernel/names.h"
#include "tests/host/by_hand.h"

namespace jaild::test::by_hand {

void kill_jail(const Client& client, const std::string& name) {
    kill_process(static_cast<pid_t>(client.life(name).number));
}

void delete_link(const TestHost& host, const Client& client, const std::string& name) {
    host.run_on_host(
        {"ip", "link", "delete", kernel::pair_name(client.instance(), {client.id(name)}, kernel::PairEnd::host)});
}

void delete_address(const TestHost& host, const std::string& interface, const std::string& address) {
    host.run_on_host({"ip", "address", "delete", address + "/24", "dev", interface});
}

void set_isolated(const TestHost& host, const Client& client, const std::string& name, NetworkId /*network*/,
                  bool isolated) {
    const auto end = kernel::pair_name(client.instance(), {client.id(name)}, kernel::PairEnd::host);
    host.run_on_host({"ip", "link", "set", end, "type", "bridge_slave", "isolated", isolated ? "on" : "off"});
}

void leave_bridge(const TestHost& host, const std::string& interface, const std::string& /*bridge*/) {
    host.run_on_host({"ip", "link", "set", interface, "nomaster"});
}

void add_detour(const Client& client, const std::string& name, const std::string& address, const std::string& gateway) {
    run_or_fail({"ip", "-n", client.network_of(name), "route", "add", address, "via", gateway});
}

void unmount(const std::filesystem::path& target) {
    run_or_fail({"umount", "--lazy", target.string()});
}

std::vector<std::string> some_mounts() {
    return {"root/usr/local", "root/usr"};
}

void delete_rules(const TestHost& host, const Client& client, Rules which) {
    host.run_on_host(
        {"nft", which == Rules::all ? "delete" : "flush", "table", "inet", kernel::nft_table(client.instance())});
}

}  // namespace jaild::test::by_hand
