#include "core/kernel/names.h"
#include "tests/host/eventually.h"
#include "tests/host/learning.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

bool shows_bpf(const Client& client, const std::string& name) {
    return client.sh(name, "test -e /dev/bpf && echo shown || echo hidden") == "shown";
}

}  // namespace

TEST_CASE("only a jail that asks for DHCP has bpf", "[dhcp]") {
    const Leased test;
    const auto& client = test.client;
    client.create({{"name", "plain"}});
    CHECK(shows_bpf(client, "web"));
    CHECK_FALSE(shows_bpf(client, "plain"));
    CHECK(client.sh("web", "test -e /dev/mem -o -e /dev/kmem -o -e /dev/io && echo shown || echo hidden") == "hidden");
    client.remove("plain");
    client.remove("web");
}

TEST_CASE("a jail whose root has no dhclient says so", "[dhcp]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const std::filesystem::path root = host.state_directory().string() + "-bare";
    Undo undo;
    undo.add({"rm", "-r", root.string()});
    for (const char* directory : {"dev", "etc", "proc", "sys"}) std::filesystem::create_directories(root / directory);
    const json spec{{"name", "bare"},
                    {"template", ""},
                    {"root", {{"kind", "path"}, {"path", root.string()}}},
                    {"network", {{"interfaces", json::parse(R"([{"ipv4": "dhcp"}])")}}}};
    const auto made = daemon.request("POST", "/v1/jails", spec.dump());
    INFO(made.body);
    REQUIRE(made.status < 300);
    const auto said = [&] {
        const auto shown = daemon.request("GET", "/v1/jails/bare").body;
        return shown.contains("dhcp_client_missing") && shown.contains("/sbin/dhclient");
    };
    CHECK(eventually(said, kLeaseFollows));
    const auto removed = daemon.request("DELETE", "/v1/jails/bare?force=true", {}, "Prefer: wait=30\r\n");
    INFO(removed.body);
    CHECK(removed.status < 300);
}
