#pragma once

#include <string>

#include "tests/host/test_host.h"

namespace jaild::test {

/// A second cable of the host's, without addresses of its own, and a machine at its end. Linux: a network namespace;
/// FreeBSD: a vnet jail. Outlives the daemon.
class Lan {
public:
    static constexpr const char* cable = "lan88";
    static constexpr const char* bridge = "br88";
    static constexpr const char* subnet4 = "10.88.0.0/24";
    static constexpr const char* subnet6 = "fd88::/64";
    static constexpr const char* host4 = "10.88.0.1";  ///< of the bridge, when there is one
    static constexpr const char* host6 = "fd88::1";
    static constexpr const char* machine4 = "10.88.0.9";
    static constexpr const char* machine6 = "fd88::9";
    static constexpr const char* beyond4 = "203.0.113.9";  ///< RFC 5737
    static constexpr const char* beyond6 = "2001:db8:9::9";

    explicit Lan(const TestHost& host);
    ~Lan();
    Lan(const Lan&) = delete;
    Lan& operator=(const Lan&) = delete;

    /// A bridge of the host's own, with addresses and the cable.
    void make_bridge();
    static constexpr unsigned vlan = 7;
    static constexpr const char* vlan4 = "10.88.7.0/24";
    static constexpr const char* vlan6 = "fd88:7::/64";
    static constexpr const char* tagged4 = "10.88.7.9";
    static constexpr const char* tagged6 = "fd88:7::9";
    /// The machine has an address in that VLAN too; false: this kernel knows none.
    [[nodiscard]] bool join_vlan() const;
    /// Addresses that only the machine knows, on its loopback interface.
    void add_address_beyond() const;
    /// Everything that somebody could have set of an interface: flags, size, MAC and IP addresses.
    [[nodiscard]] std::string settings(const std::string& interface) const;
    /// Which bridge it is a member of: "" for none.
    [[nodiscard]] std::string bridge_of(const std::string& interface) const;
    /// What Listener and connect_from() know the machine's network by.
    [[nodiscard]] const std::string& machine() const { return machine_; }

private:
    const TestHost& host_;
    std::string machine_;
    std::string machine_end_ = "cable";  ///< there, of the cable
    Undo undo_;
};

}  // namespace jaild::test
