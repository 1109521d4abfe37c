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

}  // namespace
}  // namespace jaild::test
