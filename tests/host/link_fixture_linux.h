#pragma once

#include <string>

#include "core/kernel/linux/links.h"
#include "core/kernel/names.h"
#include "tests/host/test_host.h"
#include "tests/results.h"

namespace jaild::test {

inline constexpr JailId kWeb{1};
inline constexpr JailId kDb{2};

/// A test host whose thread is on it, one network and empty jails: named network namespaces, as the driver makes them.
struct LinkFixture {
    TestHost host;
    std::unique_ptr<TestHost::Entered> entered = host.enter();
    kernel::LinuxLinks links{host.options()};
    model::Network network = network_of(host);

    static model::Network network_of(const TestHost& host);
    LinkFixture() = default;

    /// An empty jail with lo up.
    void make_jail(JailId id) const;
    [[nodiscard]] std::string netns(JailId id) const;
    [[nodiscard]] Argv inside(JailId id, const Argv& argv) const;
    /// Addresses .10+id and ::10+id of the network.
    [[nodiscard]] kernel::LinkParameters parameters(JailId id) const;
    /// Another network, 10.213.8.0/24 and fd21:3707:8::/64, and a second interface on it, without default routes.
    [[nodiscard]] model::Network lab() const;
    [[nodiscard]] kernel::LinkParameters second_parameters(JailId id) const;
    [[nodiscard]] std::string ipv4(JailId id) const;
    [[nodiscard]] std::string ipv6(JailId id) const;
    [[nodiscard]] std::string host_end(JailId id) const;
    [[nodiscard]] std::string bridge() const;

    /// Bridge, jail and pair, as a started jail has them.
    void start_jail(JailId id);
    /// What list() says of a jail that is as `parameters` asks.
    [[nodiscard]] kernel::ObservedLink converged(JailId id) const;
    kernel::ObservedLink observed(JailId id);
    /// `ip` inside a jail, or on the host; ends the test when it fails.
    void ip_inside(JailId id, const std::string& command) const;
    void ip(const std::string& command) const;
};

/// "link set eth0 up" as argv.
Argv words(const std::string& text);

}  // namespace jaild::test
