#include <sys/stat.h>

#include <sstream>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

/// Jails in the network stack of the host.
namespace {

json shared(const std::string& name) {
    return {{"name", name}, {"network", {{"mode", "inherit"}}}};
}

bool same_file(const std::string& one, const std::string& other) {
    struct stat first {};
    struct stat second {};
    REQUIRE(::stat(one.c_str(), &first) == 0);
    REQUIRE(::stat(other.c_str(), &second) == 0);
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// A host with a daemon, and the jail "web" in the host's network stack.
struct Shared {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};

    Shared() {
        daemon.start();
        client.create(shared("web"));
    }
    [[nodiscard]] bool is_in_the_hosts(const std::string& jail) const {
        return same_file("/proc/" + std::to_string(client.life(jail).number) + "/ns/net",
                         "/run/netns/" + host.host_name());
    }
};

}  // namespace

TEST_CASE("a jail in the host's network stack speaks with the host's address", "[inherit]") {
    const Shared scene;
    CHECK(scene.is_in_the_hosts("web"));
    CHECK(scene.client.addresses("web").empty());
    for (const auto& [here, there] :
         {std::pair(Cable::host4, Cable::outside4), std::pair(Cable::host6, Cable::outside6)}) {
        auto listener = value_of(Listener::open(scene.host.outside_name(), there));
        (void)scene.client.sh("web", "exec bash -c 'exec 3<>/dev/tcp/" + std::string(there) + "/" +
                                         std::to_string(listener.port()) + "'");
        CHECK(value_of(listener.accept()).to_string() == here);
    }
}

TEST_CASE("a jail in the host's network stack changes nothing of it", "[inherit][confinement]") {
    TestHost host;
    Daemon daemon(host);
    const Client client(daemon);
    daemon.start();
    const Argv stack{"/bin/sh", "-c",
                     "ip -oneline -4 address; ip -oneline -6 address show scope global; ip route; "
                     "cat /proc/sys/net/ipv4/ping_group_range"};
    const auto before = host.run_on_host(stack);
    client.create(shared("web"));
    for (const char* line : {"ip link set lo down", "ip address add 192.0.2.1/32 dev lo",
                             "ip route add 192.0.2.0/24 dev lo", "echo 0 > /proc/sys/net/ipv4/ip_forward",
                             "echo 1400 > /sys/class/net/lo/mtu", "mount -o remount,rw /sys", "ip netns add mine"}) {
        INFO(line);
        CHECK(client.exec("web", {"/bin/sh", "-c", line}).at("exit_code") != 0);
    }
    CHECK(host.run_on_host(stack) == before);
    client.remove("web");
    CHECK(host.run_on_host(stack) == before);
}

TEST_CASE("a jail in the host's network stack asks the host's name servers and knows its names", "[inherit][names]") {
    const Shared scene;
    const auto read = scene.client.exec("web", {"cat", "/etc/resolv.conf"});
    CHECK(read.at("stdout") == read_file("/etc/resolv.conf"));
    const auto hosts = scene.client.sh("web", "cat /etc/hosts");
    CHECK(hosts.contains("127.0.0.1\tweb\n"));
    std::istringstream lines(read_file("/etc/hosts"));
    for (std::string line; std::getline(lines, line);) {
        INFO(line);
        CHECK(hosts.contains(line));
    }
}

TEST_CASE("a jail leaves the host's network stack and comes back to it at a restart", "[inherit]") {
    Shared scene;
    const auto life = scene.client.life("web");
    scene.client.change("web", {{"network", {{"mode", "vnet"}}}});
    CHECK(eventually([&] { return scene.client.has_condition("web", "RestartRequired"); }, std::chrono::seconds(10)));
    CHECK(scene.client.life("web") == life);
    scene.client.restart("web");
    CHECK_FALSE(scene.is_in_the_hosts("web"));
    CHECK(scene.client.addresses("web").size() == 2);

    scene.client.change("web", {{"network", {{"mode", "inherit"}}}}, "?restart=true");
    CHECK(scene.is_in_the_hosts("web"));
    CHECK(scene.client.addresses("web").empty());

    // Another daemon finds it as it is.
    const auto again = scene.client.life("web");
    scene.daemon.kill();
    scene.daemon.start();
    CHECK(scene.client.life("web") == again);
    scene.client.remove("web");
    CHECK(leftovers_beside(scene.host, scene.daemon).empty());
}

TEST_CASE("whose network stack a jail has is read from the kernel", "[inherit][host][jails]") {
    JailFixture jail;
    jail.start(kJail);
    CHECK(jail.observed(kJail).vnet);

    constexpr JailId other{2};
    jail.mount_root(other);
    auto parameters = JailFixture::jail_parameters(other);
    parameters.mode = model::NetworkMode::inherit;
    value_of(jail.jails.create(parameters));
    const auto seen = jail.observed(other);
    CHECK(seen.alive);
    CHECK_FALSE(seen.vnet);
    value_of(jail.jails.remove(other));
}
