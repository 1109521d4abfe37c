#include <algorithm>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// How long a packet that is dropped is waited for; the tests see first that one that is not comes through.
constexpr std::chrono::milliseconds kSilence{400};

/// Where a test listens: by its network's name, at an address.
struct Place {
    std::string network;
    std::string address;
};

/// A host with a daemon, and jails named web, db and app on one network.
struct PolicyFixture {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    Family family = GENERATE(Family::ipv4, Family::ipv6);

    PolicyFixture() {
        host.filter_bridges();
        daemon.start();
        client.create({{"name", "web"}, {"labels", {{"tier", "front"}}}});
        client.create({{"name", "db"}});
        client.create({{"name", "app"}, {"labels", {{"tier", "back"}}}});
    }
    [[nodiscard]] std::string address(const std::string& jail) const {
        return client.addresses(jail).at(family == Family::ipv4 ? 0 : 1);
    }
    [[nodiscard]] Place place(const std::string& jail) const { return {client.network_of(jail), address(jail)}; }
    [[nodiscard]] Place outside() const {
        return {host.outside_name(), family == Family::ipv4 ? Cable::outside4 : Cable::outside6};
    }
    [[nodiscard]] std::string host_address() const { return family == Family::ipv4 ? Cable::host4 : Cable::host6; }
    [[nodiscard]] Listener listen(const Place& place) const {
        return value_of(Listener::open(place.network, place.address));
    }
    [[nodiscard]] bool reaches(const std::string& from, const Place& to, std::uint16_t port) const {
        return connect_from(client.network_of(from), to.address, port).has_value();
    }
    [[nodiscard]] bool silent(const std::string& from, const Place& to, std::uint16_t port) const {
        const auto tried = connect_from(client.network_of(from), to.address, port, kSilence);
        return !tried && tried.error().sys == ETIMEDOUT;
    }
    [[nodiscard]] DatagramPort take_datagrams(const Place& place) const {
        return value_of(DatagramPort::open(place.network, place.address));
    }
    /// There and back, and who sent it is seen.
    [[nodiscard]] bool exchanges(const std::string& from, const Place& to, DatagramPort& port) const {
        return exchange(client.network_of(from), to.address, port.port(), port).has_value();
    }
    [[nodiscard]] bool drops(const std::string& from, const Place& to, DatagramPort& port) const {
        return !exchange(client.network_of(from), to.address, port.port(), port, kSilence);
    }
    void firewall(const std::string& jail, const json& spec) const { client.change(jail, {{"firewall", spec}}); }
    /// Rules come and go with no jail restarted.
    void expect_no_restart(const std::string& jail, const JailLife& life) const {
        CHECK(client.life(jail) == life);
        CHECK(client.state(jail) == "running");
        CHECK_FALSE(client.has_condition(jail, "RestartRequired"));
    }
};

json allow_from(const json& peer, const json& ports = json(), const char* protocol = "tcp") {
    json rule{{"from", peer}};
    if (!ports.is_null()) rule.update({{"protocol", protocol}, {"ports", {ports}}});
    return {{"ingress", {{"rules", {rule}}}}};
}

}  // namespace

TEST_CASE("an ingress lets in whom its selectors name, between jails on one bridge", "[policy]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    const auto life = fixture.client.life("db");
    const auto listener = fixture.listen(db);
    const auto other = fixture.listen(db);
    CHECK(fixture.reaches("web", db, listener.port()));
    CHECK(fixture.reaches("app", db, listener.port()));

    fixture.firewall("db", allow_from({{"jail", "web"}}, listener.port()));
    CHECK(fixture.reaches("web", db, listener.port()));
    CHECK(fixture.silent("web", db, other.port()));
    CHECK(fixture.silent("app", db, listener.port()));
    CHECK(connect_from(fixture.host.host_name(), db.address, other.port()));

    fixture.firewall("db", allow_from({{"label", "tier=back"}}));
    CHECK(fixture.reaches("app", db, listener.port()));
    CHECK(fixture.silent("web", db, listener.port()));
    // The selector follows the labels.
    fixture.client.change("web", {{"labels", {{"tier", "back"}}}});
    fixture.client.change("app", {{"labels", {{"tier", "front"}}}});
    CHECK(fixture.reaches("web", db, listener.port()));
    CHECK(fixture.silent("app", db, listener.port()));

    fixture.firewall("db", nullptr);
    CHECK(fixture.reaches("app", db, listener.port()));
    fixture.expect_no_restart("db", life);
}

TEST_CASE("an egress keeps a jail to where its rules say", "[policy]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    const auto outside = fixture.outside();
    const auto host = Place{fixture.host.host_name(), fixture.host_address()};
    const auto in_db = fixture.listen(db);
    const auto out_there = fixture.listen(outside);
    const auto on_host = fixture.listen(host);
    for (const auto& [place, port] : {std::pair(db, in_db.port()), {outside, out_there.port()}, {host, on_host.port()}})
        CHECK(fixture.reaches("web", place, port));

    fixture.firewall("web", {{"egress", {{"rules", {{{"to", {{"jail", "db"}}}}}}}}});
    CHECK(fixture.reaches("web", db, in_db.port()));
    CHECK(fixture.silent("web", outside, out_there.port()));
    CHECK(fixture.silent("web", host, on_host.port()));
    CHECK(fixture.reaches("app", outside, out_there.port()));

    fixture.firewall(
        "web",
        {{"egress", {{"default", "allow"}, {"rules", {{{"to", {{"network", "default"}}}, {"action", "deny"}}}}}}});
    CHECK(fixture.silent("web", db, in_db.port()));
    CHECK(fixture.reaches("web", outside, out_there.port()));
}

TEST_CASE("policies hold for datagrams, and for the answers to them", "[policy][udp]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    const auto outside = fixture.outside();
    auto port = fixture.take_datagrams(db);
    auto other = fixture.take_datagrams(db);
    auto out_there = fixture.take_datagrams(outside);
    CHECK(fixture.exchanges("web", db, port));
    CHECK(fixture.exchanges("app", db, port));
    CHECK(fixture.exchanges("web", outside, out_there));

    fixture.firewall("db", allow_from({{"jail", "web"}}, port.port(), "udp"));
    CHECK(fixture.exchanges("web", db, port));
    CHECK(fixture.drops("web", db, other));
    CHECK(fixture.drops("app", db, port));
    // The same port of the other protocol is another one.
    fixture.firewall("db", allow_from({{"jail", "app"}}, port.port(), "tcp"));
    CHECK(fixture.drops("app", db, port));
    // What it asks itself is answered.
    CHECK(fixture.exchanges("db", outside, out_there));
    fixture.firewall("db", nullptr);

    fixture.firewall("web", {{"egress", {{"rules", {{{"to", {{"jail", "db"}}}, {"protocol", "udp"}}}}}}});
    CHECK(fixture.exchanges("web", db, port));
    CHECK(fixture.drops("web", outside, out_there));
    CHECK(fixture.exchanges("app", outside, out_there));
    const auto in_db = fixture.listen(db);
    CHECK(fixture.silent("web", db, in_db.port()));
}

TEST_CASE("packets of one network do not come into another, those of a jail on both do", "[policy][udp]") {
    const PolicyFixture fixture;
    const auto lab = fixture.daemon.request("POST", "/v1/networks",
                                            R"({"name": "lab", "ipv4": "10.214.7.0/24", "ipv6": "fd00:214:7::/64"})");
    INFO(lab.body);
    REQUIRE(lab.status == 201);
    const auto on = [](const std::vector<std::string>& networks) {
        auto interfaces = json::array();
        for (const auto& network : networks) interfaces.push_back({{"network", network}});
        return json{{"interfaces", interfaces}};
    };
    fixture.client.create({{"name", "far"}, {"network", on({"lab"})}});
    fixture.client.create({{"name", "both"}, {"network", on({"default", "lab"})}});
    for (const auto& place : {fixture.place("db"), fixture.place("far")}) {
        const bool is_db = place.network == fixture.client.network_of("db");
        const auto* stranger = is_db ? "far" : "web";
        const auto listener = fixture.listen(place);
        auto port = fixture.take_datagrams(place);
        CHECK(fixture.reaches("both", place, listener.port()));
        CHECK(fixture.exchanges("both", place, port));
        CHECK(fixture.silent(stranger, place, listener.port()));
        CHECK(fixture.drops(stranger, place, port));
    }
}

TEST_CASE("a jail that comes later is known to the rules of those that were there", "[policy]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    const auto listener = fixture.listen(db);
    fixture.firewall("db", allow_from({{"label", "client"}}));
    fixture.client.create({{"name", "late"}, {"labels", {{"client", "yes"}}}});
    CHECK(fixture.reaches("late", db, listener.port()));
    CHECK(fixture.silent("app", db, listener.port()));
    const auto address = fixture.address("late");

    // Whoever has its address next is not taken for it.
    fixture.client.remove("late");
    fixture.client.create(
        {{"name", "heir"},
         {"network",
          {{"interfaces", {{{"addresses", {address + (fixture.family == Family::ipv4 ? "/24" : "/64")}}}}}}}});
    CHECK(fixture.silent("heir", db, listener.port()));
}

TEST_CASE("established connections outlive a change of policy", "[policy]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    auto listener = fixture.listen(db);
    const auto connection = value_of(connect_from(fixture.client.network_of("web"), db.address, listener.port()));
    const auto accepted = value_of(listener.take());
    CHECK(carries(connection, accepted));

    fixture.firewall("app", allow_from({{"jail", "web"}}));
    CHECK(carries(connection, accepted));
    fixture.firewall("db", {{"ingress", json::object()}});
    CHECK(carries(connection, accepted));
    CHECK(carries(accepted, connection));
    CHECK(fixture.silent("web", db, listener.port()));
}

TEST_CASE("a jail cannot pass for another by its address", "[policy][hostile]") {
    const PolicyFixture fixture;
    const auto db = fixture.place("db");
    const auto listener = fixture.listen(db);
    fixture.firewall("db", allow_from({{"jail", "web"}}));
    const auto stolen = fixture.address("web");
    fixture.client.change("web", {{"running", false}});
    CHECK(eventually([&] { return fixture.client.state("web") == "stopped"; }));
    const auto tried = connect_from(fixture.client.network_of("app"), db.address, listener.port(), kSilence, stolen);
    CHECK_FALSE(tried);
}

TEST_CASE("a published port leads into the jail from everywhere, and the jail sees who it is", "[publish]") {
    const PolicyFixture fixture;
    constexpr std::uint16_t kHostPort = 18'080;
    const auto web = fixture.place("web");
    const auto life = fixture.client.life("web");
    auto listener = fixture.listen(web);
    CHECK_FALSE(connect_from(fixture.outside().network, fixture.host_address(), kHostPort, kSilence));
    fixture.client.change("web", {{"publish", {{{"host_port", kHostPort}, {"jail_port", listener.port()}}}}});

    const auto seen_from = [&](const std::string& network) {
        const auto connection = connect_from(network, fixture.host_address(), kHostPort);
        INFO("from " << network << (connection ? "" : ": " + connection.error().to_string()));
        REQUIRE(connection);
        return value_of(listener.accept()).to_string();
    };
    CHECK(seen_from(fixture.outside().network) == fixture.outside().address);
    CHECK(seen_from(fixture.client.network_of("db")) == fixture.address("db"));
    if (TestHost::redirects_its_own()) CHECK(seen_from(fixture.host.host_name()) == fixture.host_address());
    // The jail itself: by the host, so that the answer finds back.
    CHECK_FALSE(seen_from(fixture.client.network_of("web")).empty());
    fixture.expect_no_restart("web", life);

    // A policy of the jail's own comes first, and then the port is open to anyone.
    fixture.firewall("web", {{"ingress", {{"rules", {{{"from", {{"jail", "db"}}}, {"action", "deny"}}}}}}});
    CHECK(seen_from(fixture.outside().network) == fixture.outside().address);
    CHECK_FALSE(connect_from(fixture.client.network_of("db"), fixture.host_address(), kHostPort, kSilence));

    fixture.client.change("web", {{"publish", nullptr}, {"firewall", nullptr}});
    CHECK_FALSE(connect_from(fixture.outside().network, fixture.host_address(), kHostPort, kSilence));
}

TEST_CASE("a published port of UDP leads into the jail from everywhere, and answers find back", "[publish][udp]") {
    const PolicyFixture fixture;
    constexpr std::uint16_t kHostPort = 18'053;
    const auto web = fixture.place("web");
    auto port = fixture.take_datagrams(web);
    const auto seen_from = [&](const std::string& network) {
        const auto seen = exchange(network, fixture.host_address(), kHostPort, port);
        INFO("from " << network << (seen ? "" : ": " + seen.error().to_string()));
        REQUIRE(seen);
        return seen->to_string();
    };
    const auto shut_for = [&](const std::string& network) {
        return !exchange(network, fixture.host_address(), kHostPort, port, kSilence);
    };
    fixture.client.change("web", {{"publish", {{{"host_port", kHostPort}, {"jail_port", port.port()}}}}});
    CHECK(shut_for(fixture.outside().network));  // that is TCP's

    fixture.client.change("web",
                          {{"publish", {{{"host_port", kHostPort}, {"jail_port", port.port()}, {"protocol", "udp"}}}}});
    CHECK(seen_from(fixture.outside().network) == fixture.outside().address);
    CHECK(seen_from(fixture.client.network_of("db")) == fixture.address("db"));
    CHECK_FALSE(seen_from(fixture.client.network_of("web")).empty());

    fixture.firewall("web", {{"ingress", {{"rules", {{{"from", {{"jail", "db"}}}, {"action", "deny"}}}}}}});
    CHECK(seen_from(fixture.outside().network) == fixture.outside().address);
    CHECK(shut_for(fixture.client.network_of("db")));
}

TEST_CASE("a range of ports leads to a range, on the address that was asked for", "[publish]") {
    const PolicyFixture fixture;
    const auto web = fixture.place("web");
    auto listener = fixture.listen(web);
    const unsigned port = listener.port();
    const auto range = [](unsigned first) { return std::to_string(first) + "-" + std::to_string(first + 1); };
    fixture.client.change(
        "web",
        {{"publish",
          {{{"host_port", range(18'090)}, {"jail_port", range(port - 1)}, {"host_address", fixture.host_address()}}}}});
    CHECK(connect_from(fixture.outside().network, fixture.host_address(), 18'091));
    CHECK(value_of(listener.accept()).to_string() == fixture.outside().address);
    const auto refused = connect_from(fixture.outside().network, fixture.host_address(), 18'090);
    CHECK((!refused && refused.error().sys == ECONNREFUSED));
}

TEST_CASE("a port that is taken is refused when it is asked for, with who has it", "[publish]") {
    const PolicyFixture fixture;
    const auto on_host = fixture.listen({fixture.host.host_name(), fixture.host_address()});
    const auto ask = [&](const std::string& name, const json& publish) {
        return fixture.daemon.request("PATCH", "/v1/jails/" + name, json{{"publish", {publish}}}.dump(),
                                      "Content-Type: application/merge-patch+json\r\n");
    };
    auto answer = ask("web", {{"host_port", on_host.port()}});
    CHECK(answer.status == 409);
    CHECK(json::parse(answer.body).at("code") == "port_in_use");
    CHECK(json::parse(answer.body).at("field") == "/publish/0/host_port");

    fixture.client.change("web", {{"publish", {{{"host_port", "18100-18110"}}}}});
    answer = ask("db", {{"host_port", 18'105}});
    CHECK(answer.status == 409);
    CHECK(json::parse(answer.body).at("detail").get<std::string>().contains("\"web\""));
    CHECK(ask("db", {{"host_port", 18'105}, {"protocol", "udp"}}).status < 300);
}
