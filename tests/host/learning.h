#pragma once

#include <string>

#include "core/kernel/names.h"
#include "tests/host/client.h"
#include "tests/host/net_probe.h"
#include "tests/host/router.h"
#include "tests/results.h"

namespace jaild::test {

/// A client asks every few seconds, with a pause of ten at most; what it gets is looked at every 5 s.
inline constexpr auto kLeaseFollows = std::chrono::seconds(40);

/// A host with a jail "web" that gets its IPv4 address by DHCP. `beside`: what else its `network` says.
struct Leased {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    InstanceId instance = host.instance();

    explicit Leased(const nlohmann::json& beside = nlohmann::json::object()) {
        daemon.start();
        const auto made = daemon.request("POST", "/v1/networks", R"({"name": "lan", "ipv4": "192.0.2.0/24"})");
        INFO(made.body);
        REQUIRE(made.status == 201);
        nlohmann::json network = beside;
        network["interfaces"] = nlohmann::json::parse(R"([{"network": "lan", "ipv4": "dhcp"}])");
        client.create({{"name", "web"}, {"network", network}});
        instance = client.instance();
    }
    [[nodiscard]] std::string bridge() const { return kernel::bridge_name(instance, NetworkId{2}); }
    [[nodiscard]] std::string ipv4() const {
        for (const auto& address : client.addresses("web"))
            if (address.find('.') != std::string::npos) return address;
        return {};
    }
    [[nodiscard]] bool has(int first, int last) const {
        const auto address = ipv4();
        constexpr std::string_view kNetwork = "192.0.2.";
        if (!address.starts_with(kNetwork)) return false;
        const int host_part = std::stoi(address.substr(kNetwork.size()));
        return host_part >= first && host_part <= last;
    }
    /// A connection to an address of the router's, and it sees who comes.
    [[nodiscard]] bool reaches(const Router& router, const char* address) const {
        auto listener = value_of(Listener::open(router.name(), address));
        if (!connect_from(client.network_of("web"), address, listener.port())) return false;
        return value_of(listener.accept()).to_string() == ipv4();
    }
};

}  // namespace jaild::test
