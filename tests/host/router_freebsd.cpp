#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>

#include "tests/host/dhcp_server_freebsd.h"
#include "tests/host/eventually.h"
#include "tests/host/processes.h"
#include "tests/host/router.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

constexpr const char* kHostEnd = "router0";

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace

Router::Router(const TestHost& host, const std::string& bridge) : host_(host), name_(host.outside_name() + "-router") {
    run_or_fail({"jail", "-c", "name=" + name_, "host.hostname=" + name_, "path=/", "persist", "vnet"});
    undo_.add({"jail", "-R", name_});
    const auto host_end = first_line(run_or_fail({"ifconfig", "epair", "create"}));
    cable_ = host_end.substr(0, host_end.size() - 1) + "b";
    run_or_fail({"ifconfig", host_end, "name", kHostEnd});
    undo_.add({"ifconfig", kHostEnd, "destroy"});
    run_or_fail({"ifconfig", kHostEnd, "up"});
    run_or_fail({"ifconfig", cable_, "vnet", name_});
    const auto ifconfig = [&](const std::string& interface, const Argv& arguments) {
        Argv argv{"jexec", name_, "ifconfig", interface};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        run_or_fail(argv);
    };
    ifconfig("lo0", {"inet", std::string(beyond4) + "/32", "up"});
    ifconfig(cable_, {"inet", std::string(address4) + "/24", "up"});
    ifconfig(cable_, {"inet6", "-ifdisabled", "auto_linklocal", "no_dad"});
    ifconfig(cable_, {"inet6", address6, "prefixlen", "64"});
    run_or_fail({"jexec", name_, "sysctl", "net.inet6.ip6.forwarding=1"});
    host.run_on_host({"ifconfig", bridge, "addm", kHostEnd});
    REQUIRE(eventually([&] { return !link_local().empty(); }));
}

Router::~Router() {
    stop();
}

std::string Router::link_local() const {
    for (const auto& line : lines_with({"jexec", name_, "ifconfig", cable_, "inet6"}, "inet6 fe80:")) {
        if (line.contains("tentative")) continue;
        const auto from = line.find("fe80:");
        return line.substr(from, line.find('%', from) - from);
    }
    return {};
}

void Router::advertise() {
    const auto file = [&](const char* name) { return (host_.state_directory() / name).string(); };
    std::ofstream(file("rtadvd.conf")) << cable_
                                       << ":addr=\"2001:db8:5::\":prefixlen#64:maxinterval#4:mininterval#3:\n";
    serve({"jexec", name_, "rtadvd", "-f", "-c", file("rtadvd.conf"), "-p", file("rtadvd.pid"), "-C",
           file("rtadvd.sock"), cable_});
}

void Router::lease(int first, int last) {
    stop();
    dhcp_ = std::make_unique<DhcpServer>(name_, first, last);
}

bool Router::did(const std::string& /*what*/) const {
    return false;
}

void Router::stop() {
    dhcp_.reset();
    if (server_ == 0) return;
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    server_ = 0;
}

void Router::serve(const Argv& argv) {
    stop();
    server_ = value_of(spawn(argv, {})).pid;
}

std::vector<pid_t> dhcp_clients(const Client& client, const std::string& jail) {
    const auto in_jail =
        lines_with({"ps", "-J", client.network_of(jail), "-ax", "-o", "pid=", "-o", "args="}, "dhclient:");
    std::vector<pid_t> found;
    for (const auto& line : in_jail)
        if (!line.contains("syslog")) found.push_back(static_cast<pid_t>(std::stol(line)));
    std::ranges::sort(found);
    return found;
}

}  // namespace jaild::test
