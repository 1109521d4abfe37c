#pragma once

#include <sys/types.h>

#include <string>

#include "tests/host/test_host.h"

namespace jaild::test {

/// A machine of its own on a network of jails: a namespace with one end of a cable, whose other end is a member of a
/// bridge on the host. dnsmasq(8) gives out addresses there. Everything of it goes with the object.
class Router {
public:
    static constexpr const char* address4 = "192.0.2.254";
    static constexpr const char* address6 = "2001:db8:5::fe";

    Router(const TestHost& host, const std::string& bridge);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    /// Advertises 2001:db8:5::/64 and itself, in answer to who asks and every few seconds.
    void advertise();
    /// Leases 192.0.2.<first> to .<last> for two minutes, and knows of no earlier lease. Listens when it returns.
    void lease(int first, int last);
    /// What the server says that it did: "DHCPRELEASE".
    [[nodiscard]] bool did(const std::string& what) const;
    /// Ends what it does; its cable stays.
    void stop();
    /// Of its end of the cable.
    [[nodiscard]] std::string link_local() const;
    /// What Listener and connect_from() know it by.
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    void serve(const Argv& options);

    const TestHost& host_;
    std::string name_;
    Undo undo_;
    pid_t server_ = 0;
};

}  // namespace jaild::test
