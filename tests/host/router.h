#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/host/client.h"
#include "tests/host/test_host.h"

namespace jaild::test {

class DhcpServer;

/// A machine of its own on a network of jails, with one end of a cable, whose other end is a member of a bridge on the
/// host. Linux: a network namespace and dnsmasq(8). FreeBSD: a vnet jail, rtadvd(8), and a DHCP server of the tests'.
/// Everything of it goes with the object.
class Router {
public:
    static constexpr const char* address4 = "192.0.2.254";
    static constexpr const char* address6 = "2001:db8:5::fe";
    static constexpr const char* beyond4 = "203.0.113.77";  ///< only it knows the way there
    static constexpr const char* name_server = "192.0.2.53";

    Router(const TestHost& host, const std::string& bridge);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    /// Advertises 2001:db8:5::/64 and itself, in answer to who asks and every few seconds.
    void advertise();
    /// Leases 192.0.2.<first> to .<last> for two minutes, and knows of no earlier lease. Listens when it returns.
    void lease(int first, int last);
    /// Ends what it does; its cable stays.
    void stop();
    /// What the server says that it did: "DHCPRELEASE". Linux.
    [[nodiscard]] bool did(const std::string& what) const;
    /// Of its end of the cable.
    [[nodiscard]] std::string link_local() const;
    /// What Listener and connect_from() know it by.
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    void serve(const Argv& argv);

    const TestHost& host_;
    std::string name_;
    std::string cable_;  ///< its end
    Undo undo_;
    pid_t server_ = 0;
    std::unique_ptr<DhcpServer> dhcp_;
};

/// The processes that are the DHCP client of that jail's only interface.
std::vector<pid_t> dhcp_clients(const Client& client, const std::string& jail);

}  // namespace jaild::test
