#include <algorithm>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

namespace {

/// Another jail's creation or removal reaches the hosts of the others within a moment.
constexpr auto kMoment = std::chrono::seconds(5);

/// One whose resolver answers at once, that nobody is there.
nlohmann::json with_hosts_only(const std::string& name) {
    return {{"name", name}, {"network", {{"nameservers", {"127.0.0.1"}}}}};
}

/// The address that a name has in that jail, as its programs see them.
std::string lookup(const Client& client, const std::string& jail, const std::string& name) {
    return client.sh(jail, "getent hosts " + name + " | while read address rest; do echo $address; break; done");
}

}  // namespace

TEST_CASE("jails find each other by name while they come and go", "[names]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create(with_hosts_only("web"));
    CHECK(lookup(client, "web", "db").empty());
    CHECK(client.sh("web", "echo 192.0.2.80 of-its-own >>/etc/hosts").empty());

    client.create(with_hosts_only("db"));
    const auto of_db = client.addresses("db");
    const auto of_web = client.addresses("web");
    const auto is_one_of = [](const std::string& found, const std::vector<std::string>& all) {
        return std::ranges::find(all, found) != all.end();
    };
    // The one that came later knew it from its first instruction on.
    CHECK(is_one_of(lookup(client, "db", "web"), of_web));
    CHECK(is_one_of(lookup(client, "db", "web.default.jaild"), of_web));
    CHECK(eventually([&] { return is_one_of(lookup(client, "web", "db"), of_db); }, kMoment));
    CHECK(is_one_of(lookup(client, "web", "db.default.jaild"), of_db));
    for (const auto& address : of_db)
        CHECK(client.sh("web", "cat /etc/hosts").contains(address + "\tdb db.default.jaild\n"));

    client.restart("web");
    CHECK(is_one_of(lookup(client, "web", "db"), of_db));
    client.remove("db");
    CHECK(eventually([&] { return lookup(client, "web", "db").empty(); }, kMoment));
    CHECK(lookup(client, "web", "of-its-own") == "192.0.2.80");
    client.remove("web");
}

TEST_CASE("what a jail's root makes of its hosts hurts nobody else", "[names][hostile]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}});
    client.create({{"name", "evil"}});
    CHECK(client.sh("evil", "mv /etc/hosts /tmp/hosts && ln -s /tmp/elsewhere /etc/hosts").empty());
    client.create({{"name", "db"}});
    // Replaced, and what it led to was not made.
    CHECK(eventually([&] { return client.sh("evil", "cat /etc/hosts || true").contains("\tdb db.default.jaild\n"); },
                     kMoment));
    CHECK(client.sh("evil", "ls /tmp") == "hosts");

    // A directory in its place cannot be replaced: its own affair, and the others learn what they should.
    CHECK(client.sh("evil", "rm /etc/hosts && mkdir /etc/hosts && touch /etc/hosts/full").empty());
    client.create({{"name", "late"}});
    CHECK(eventually([&] { return client.sh("web", "cat /etc/hosts").contains("\tlate late.default.jaild\n"); },
                     kMoment));
    CHECK(client.state("evil") == "running");
    for (const auto* name : {"web", "evil", "db", "late"}) client.remove(name);
}
