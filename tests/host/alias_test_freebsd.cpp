#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

/// Jails in the host's network stack, on a loopback interface that the test makes and takes away.

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

constexpr auto kFollows = std::chrono::seconds(30);

std::string without_newline(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

/// Made, up, and destroyed with this.
class Loopback {
public:
    Loopback() : name_(without_newline(run_or_fail({"ifconfig", "lo", "create"}))) {
        REQUIRE(name_.starts_with("lo"));
        REQUIRE(name_ != "lo0");
        undo_.add({"ifconfig", name_, "destroy"});
        run_or_fail({"ifconfig", name_, "up"});
    }
    [[nodiscard]] const std::string& name() const { return name_; }
    /// "inet 127.99.1.1 netmask 0xffffffff": the interface has it, in the words of ifconfig(8).
    [[nodiscard]] bool has(const std::string& text) const { return !lines_with({"ifconfig", name_}, text).empty(); }

private:
    std::string name_;
    Undo undo_;
};

struct AliasTest {
    TestHost host;
    Loopback loopback;
    Daemon daemon{host};
    Client client{daemon};
    AliasTest() { daemon.start(); }

    [[nodiscard]] json network(const std::vector<std::string>& addresses) const {
        const json interface {
            {"interface", loopback.name()}, { "addresses", addresses }
        };
        return {{"mode", "alias"}, {"interfaces", json::array({interface})}};
    }
    /// A program in the jail reaches one of the host that listens on `target`, and is `source` to it.
    [[nodiscard]] bool connects(const std::string& jail, const std::string& source, const std::string& target) const {
        const auto listener = value_of(Listener::open(host.host_name(), target));
        const auto done =
            client.exec(jail, {"nc", "-z", "-n", "-w", "5", "-s", source, target, std::to_string(listener.port())});
        return done.at("exit_code") == 0;
    }
    [[nodiscard]] std::string shown(const std::string& jail, const std::string& parameter) const {
        return without_newline(run_or_fail({"jls", "-j", jail, parameter}));
    }
};

}  // namespace

TEST_CASE("a jail has its addresses on the host's interface as long as it runs, and no other", "[alias]") {
    const AliasTest test;
    run_or_fail({"ifconfig", test.loopback.name(), "inet", "127.99.1.9/32", "alias"});
    test.client.create({{"name", "web"}, {"network", test.network({"127.99.1.1", "2001:db8:99::1"})}});
    CHECK(test.loopback.has("inet 127.99.1.1 netmask 0xffffffff"));
    CHECK(test.loopback.has("inet6 2001:db8:99::1 prefixlen 128"));
    CHECK(test.shown("web", "ip4.addr") == "127.99.1.1");
    CHECK(test.shown("web", "ip6.addr") == "2001:db8:99::1");
    CHECK(test.client.get("/v1/jails/web/plan").at("plan").empty());
    for (const char* own : {"127.99.1.1", "2001:db8:99::1"}) CHECK(test.connects("web", own, own));
    CHECK_FALSE(test.connects("web", "127.99.1.9", "127.99.1.1"));
    CHECK_FALSE(test.connects("web", Cable::host4, "127.99.1.1"));
    CHECK_FALSE(test.connects("web", Cable::host6, "2001:db8:99::1"));
    CHECK(test.client.exec("web", {"ifconfig", test.loopback.name(), "down"}).at("exit_code") != 0);

    test.client.change("web", {{"running", false}});
    CHECK_FALSE(test.loopback.has("127.99.1.1 "));
    CHECK_FALSE(test.loopback.has("2001:db8:99::1"));
    CHECK(test.loopback.has("127.99.1.9 "));
}

TEST_CASE("addresses of a running jail are changed and mended, and a killed daemon forgets none", "[alias][drift]") {
    AliasTest test;
    test.client.create({{"name", "web"}, {"network", test.network({"127.99.1.1", "127.99.1.2/24"})}});
    const auto life = test.client.life("web");
    CHECK(test.loopback.has("inet 127.99.1.2 netmask 0xffffff00"));
    test.client.change("web", {{"network", test.network({"127.99.1.3", "2001:db8:99::3"})}});
    CHECK(test.shown("web", "ip4.addr") == "127.99.1.3");
    CHECK_FALSE(test.loopback.has("127.99.1.1 "));
    CHECK_FALSE(test.loopback.has("127.99.1.2 "));

    run_or_fail({"ifconfig", test.loopback.name(), "inet", "127.99.1.3", "-alias"});
    CHECK(eventually([&] { return test.loopback.has("127.99.1.3 "); }, kFollows));
    run_or_fail({"jail", "-m", "name=web", "ip6.addr="});
    CHECK(eventually([&] { return test.shown("web", "ip6.addr") == "2001:db8:99::3"; }, kFollows));
    CHECK(test.client.life("web") == life);

    test.daemon.kill();
    test.daemon.start();
    CHECK(test.client.life("web") == life);
    test.client.remove("web");
    CHECK_FALSE(test.loopback.has("127.99.1.3 "));
    CHECK_FALSE(test.loopback.has("2001:db8:99::3"));
}

TEST_CASE("an address that the host has, and an interface that it has not, are refused", "[alias]") {
    const AliasTest test;
    const auto refusal = [&](const json& network, int status) {
        const auto reply = test.daemon.request("POST", "/v1/jails", json{{"name", "x"}, {"network", network}}.dump());
        INFO(reply.body);
        REQUIRE(reply.status == status);
        return json::parse(reply.body).at("code");
    };
    CHECK(refusal(test.network({"127.0.0.1"}), 409) == "address_in_use");
    CHECK(refusal(test.network({"::1"}), 409) == "address_in_use");
    auto missing = test.network({"127.99.1.1"});
    missing["interfaces"][0]["interface"] = "lo9999";
    CHECK(refusal(missing, 422) == "interface_not_found");
}

TEST_CASE("a jail in the host's network stack has all of it, and changes nothing of it", "[alias][inherit]") {
    const AliasTest test;
    test.client.create({{"name", "web"}, {"network", {{"mode", "inherit"}}}, {"parameters", {{"ip6", "disable"}}}});
    CHECK(test.shown("web", "vnet") == "inherit");
    CHECK(test.shown("web", "ip4") == "inherit");
    CHECK(test.shown("web", "ip6") != "inherit");
    CHECK(test.client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(test.connects("web", "127.0.0.1", "127.0.0.1"));
    CHECK_FALSE(test.connects("web", "::1", "::1"));
    CHECK(test.client.exec("web", {"ifconfig", "lo0", "down"}).at("exit_code") != 0);
    CHECK(test.client.sh("web", "cat /etc/resolv.conf") == without_newline(run_or_fail({"cat", "/etc/resolv.conf"})));
    test.client.remove("web");
}
