#include <nlohmann/json.hpp>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/zfs_pool_freebsd.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

namespace zfs = kernel::freebsd::zfs;

/// A daemon whose roots are datasets of the pool.
struct ZfsScene {
    TestHost host;
    Pool pool{host};
    Daemon daemon{host};

    ZfsScene() { daemon.start({"--config", pool.config()}); }
    [[nodiscard]] std::string dataset(const Client& client) const {
        return zfs::dataset(pool.parent(), client.instance(), client.id("web"));
    }
    [[nodiscard]] std::string expected(const Client& client) const {
        return pool.parent() + "\t-\n" + dataset(client) + "\t" + zfs::owner(client.instance(), client.id("web")) +
               "\n";
    }
    [[nodiscard]] bool mounted(const std::string& dataset) const {
        return !lines_with({"/sbin/mount", "-p"}, dataset).empty();
    }
};

TEST_CASE("a thin root is a dataset with our mark where a pool is configured, and goes with its jail", "[zfs]") {
    const ZfsScene test;
    const Client client(test.daemon);
    client.create({{"name", "web"}});
    const auto dataset = test.dataset(client);
    CHECK(test.pool.listed() == test.expected(client));
    CHECK(test.mounted(dataset));
    CHECK(client.sh("web", "echo kept > /root/x && cat /root/x") == "kept");

    client.change("web", {{"running", false}});
    CHECK_FALSE(test.mounted(dataset));
    client.change("web", {{"running", true}});
    CHECK(client.sh("web", "cat /root/x") == "kept");

    client.remove("web");
    CHECK(test.pool.listed() == test.pool.parent() + "\t-\n");
}

TEST_CASE("a snapshot that somebody made of a root keeps the dataset until it is gone", "[zfs]") {
    const ZfsScene test;
    const Client client(test.daemon);
    client.create({{"name", "web"}});
    const auto dataset = test.dataset(client);
    const auto snapshot = dataset + "@of-somebody";
    run_or_fail({"/sbin/zfs", "snapshot", snapshot});

    const auto refused = test.daemon.request("DELETE", "/v1/jails/web?force=true", "", "Prefer: wait=30\r\n");
    INFO(refused.body);
    CHECK(refused.status == 409);
    CHECK(refused.body.contains("dataset_busy"));
    CHECK(test.pool.listed().contains(dataset));
    CHECK_FALSE(run_or_fail({"/sbin/zfs", "list", "-H", "-t", "snapshot", snapshot}).empty());

    run_or_fail({"/sbin/zfs", "destroy", snapshot});
    CHECK(eventually([&] { return test.daemon.request("GET", "/v1/jails/web").status == 404; },
                     std::chrono::seconds(90)));
    CHECK(test.pool.listed() == test.pool.parent() + "\t-\n");
}

TEST_CASE("a root has its quota from the start, and another while the jail runs", "[zfs][storage]") {
    const ZfsScene test;
    const Client client(test.daemon);
    client.create({{"name", "web"}, {"root", {{"quota", "30M"}, {"reservation", "20M"}, {"compression", "off"}}}});
    const auto dataset = test.dataset(client);
    const auto kept = [&] {
        return run_or_fail({"/sbin/zfs", "get", "-Hp", "-o", "value", "refquota,refreservation,compression", dataset});
    };
    CHECK(kept() == "31457280\n20971520\noff\n");
    const char* fill = "dd if=/dev/zero of=/root/big bs=1048576 count=40 2>/dev/null && echo all || echo full";
    CHECK(client.sh("web", fill) == "full");
    CHECK(client.sh("web", "rm /root/big && echo gone") == "gone");

    const auto life = client.life("web");
    client.change("web", {{"root", {{"quota", "60M"}, {"reservation", nullptr}, {"compression", "lz4"}}}});
    CHECK(kept() == "62914560\n0\nlz4\n");
    CHECK(client.life("web") == life);
    CHECK(client.sh("web", fill) == "all");
    // A snapshot keeps what is deleted, and takes no room from the jail.
    run_or_fail({"/sbin/zfs", "snapshot", dataset + "@kept"});
    CHECK(client.sh("web", "rm /root/big && echo gone") == "gone");
    CHECK(client.sh("web", fill) == "all");
    run_or_fail({"/sbin/zfs", "destroy", dataset + "@kept"});

    const auto before = client.last_event();
    run_or_fail({"/sbin/zfs", "set", "refquota=none", dataset});
    CHECK(eventually([&] { return kept().starts_with("62914560\n"); }, std::chrono::seconds(120)));
    CHECK(eventually([&] { return !client.repairs(before, "jail", "web").empty(); }));
    client.remove("web");
}

TEST_CASE("a quota below what a root has is refused with its reason, and the jail runs on", "[zfs][storage]") {
    const ZfsScene test;
    const Client client(test.daemon);
    client.create({{"name", "web"}, {"root", {{"compression", "off"}}}});
    CHECK(client.sh("web", "dd if=/dev/random of=/root/big bs=1048576 count=20 2>/dev/null; sync; echo made") ==
          "made");
    const auto written = [&] {
        const auto used = run_or_fail({"/sbin/zfs", "get", "-Hp", "-o", "value", "referenced", test.dataset(client)});
        return std::stoll(used) > (20 << 20);
    };
    REQUIRE(eventually(written));
    const auto refused =
        test.daemon.request("PATCH", "/v1/jails/web", R"({"root": {"quota": "10M"}})", "Prefer: wait=30\r\n");
    INFO(refused.body);
    CHECK(refused.status >= 400);
    CHECK(refused.body.contains("quota_below_use"));
    CHECK(client.sh("web", "echo alive") == "alive");
    client.change("web", {{"root", {{"quota", "100M"}}}});
    client.remove("web");
}

TEST_CASE("a root that is a directory is refused a quota", "[zfs][storage]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "old"}});
    const auto refused_at = [&](const HttpReply& reply) {
        INFO(reply.body);
        CHECK(reply.status == 422);
        CHECK(reply.body.contains("storage_unsupported"));
    };
    refused_at(daemon.request("POST", "/v1/jails", R"({"name": "new", "root": {"quota": "1G"}})"));
    daemon.stop();
    const Pool pool(host);
    daemon.start({"--config", pool.config()});
    refused_at(daemon.request("PATCH", "/v1/jails/old", R"({"root": {"quota": "1G"}})"));
    client.remove("old");
    daemon.stop();
}

}  // namespace
}  // namespace jaild::test
