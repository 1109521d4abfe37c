#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "core/base/files.h"
#include "core/kernel/linux/netns.h"
#include "tests/host/eventually.h"
#include "tests/host/processes.h"
#include "tests/host/router.h"
#include "tests/results.h"

namespace jaild::test {

class DhcpServer {};

namespace {

constexpr const char* kCable = "wan0";
constexpr const char* kHostEnd = "router0";
constexpr const char* kLog = "dnsmasq.log";
constexpr const char* kLeases = "dnsmasq.leases";

}  // namespace

Router::Router(const TestHost& host, const std::string& bridge)
    : host_(host), name_(host.host_name() + "-router"), cable_(kCable) {
    value_of(kernel::netns::create(name_));
    undo_.add({"ip", "netns", "delete", name_});
    run_or_fail({"ip", "-n", name_, "link", "add", kCable, "type", "veth", "peer", "name", kHostEnd, "netns",
                 host.host_name()});
    // The namespace lives until its last process is gone; the cable must not outlive the test.
    undo_.add(host.on_host({"ip", "link", "delete", kHostEnd}));
    run_or_fail({"ip", "-n", name_, "address", "add", std::string(address4) + "/24", "dev", kCable});
    run_or_fail({"ip", "-n", name_, "address", "add", std::string(address6) + "/64", "dev", kCable, "nodad"});
    run_or_fail({"ip", "-n", name_, "link", "set", kCable, "up"});
    run_or_fail({"ip", "-n", name_, "address", "add", std::string(beyond4) + "/32", "dev", "lo"});
    run_or_fail({"ip", "-n", name_, "link", "set", "lo", "up"});
    host.run_on_host({"ip", "link", "set", kHostEnd, "master", bridge, "up"});
    // It speaks from its link-local address, once nobody else has claimed that.
    REQUIRE(eventually([&] { return !link_local().empty(); }));
}

Router::~Router() {
    stop();
}

std::string Router::link_local() const {
    for (const auto& line : lines_with(
             {"ip", "-n", name_, "-oneline", "-6", "address", "show", "dev", kCable, "scope", "link", "-tentative"},
             " fe80::")) {
        const auto from = line.find("fe80::");
        return line.substr(from, line.find('/', from) - from);
    }
    return {};
}

void Router::advertise() {
    serve({"--enable-ra", std::string("--ra-param=") + kCable + ",4,60", "--dhcp-range=2001:db8:5::,ra-only,64"});
}

void Router::lease(int first, int last) {
    stop();
    std::filesystem::remove(host_.state_directory() / kLeases);
    serve({"--dhcp-authoritative", "--no-ping", std::string("--dhcp-option=option:dns-server,") + name_server,
           fmt::format("--dhcp-range=192.0.2.{},192.0.2.{},255.255.255.0,2m", first, last)});
    REQUIRE(eventually([&] { return did(fmt::format("IP range 192.0.2.{} ", first)); }));
}

bool Router::did(const std::string& what) const {
    const auto log = files::read(host_.state_directory() / kLog, 1 << 20);
    return log && log->contains(what);
}

void Router::stop() {
    if (server_ == 0) return;
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    server_ = 0;
}

void Router::serve(const Argv& options) {
    stop();
    const auto file = [&](const char* name) { return (host_.state_directory() / name).string(); };
    Argv argv{"nsenter",
              "--net=" + kernel::netns::path(name_),
              "--",
              "dnsmasq",
              "--keep-in-foreground",
              "--conf-file=/dev/null",
              "--pid-file=",
              "--user=root",
              "--port=0",
              std::string("--interface=") + kCable,
              "--log-facility=" + file(kLog),
              "--dhcp-leasefile=" + file(kLeases)};
    argv.insert(argv.end(), options.begin(), options.end());
    server_ = value_of(spawn(argv, {})).pid;
}

std::vector<pid_t> dhcp_clients(const Client& client, const std::string& jail) {
    const auto directory = fmt::format("/run/jaild-{}/dhcp/{}-", client.instance().text(), client.id(jail).value);
    std::vector<pid_t> found;
    for (const pid_t process : all_processes())
        if (lives(process) && arguments_of(process).contains(directory)) found.push_back(process);
    return found;
}

}  // namespace jaild::test
