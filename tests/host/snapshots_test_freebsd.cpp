#include <nlohmann/json.hpp>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/snapshots.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/zfs_pool_freebsd.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

namespace zfs = kernel::freebsd::zfs;
using nlohmann::json;

constexpr const char* kWaitForIt = "Prefer: wait=60\r\n";

/// A daemon whose jails are datasets, with one jail.
struct SnapshotScene {
    TestHost host;
    Pool pool{host};
    Daemon daemon{host};
    Client client{daemon};

    SnapshotScene() {
        daemon.start({"--config", pool.config()});
        client.create({{"name", "web"}});
        write("1");
    }
    void write(const std::string& text) const {
        CHECK(client.sh("web", "echo " + text + " > /root/x && sync && cat /root/x") == text);
    }
    [[nodiscard]] std::string read(const std::string& jail = "web") const { return client.sh(jail, "cat /root/x"); }
    HttpReply ask(const std::string& method, const std::string& path, const std::string& body = {}) const {
        auto reply = daemon.request(method, path, body, kWaitForIt);
        INFO(path << ": " << reply.body);
        CHECK(reply.status < 400);
        return reply;
    }
    void take(const std::string& name) const { ask("POST", "/v1/jails/web/snapshots", json{{"name", name}}.dump()); }
    void restore(const std::string& name) const { ask("POST", "/v1/jails/web/snapshots/" + name + "/restore"); }
    void drop(const std::string& jail, const std::string& name) const {
        const auto path = "/v1/jails/" + jail + "/snapshots/" + name;
        CHECK(daemon.request("DELETE", path, "", kWaitForIt).status == 204);
    }
    /// Of all that jaild lists; the first that a restoration kept.
    [[nodiscard]] std::string kept() const {
        for (const auto& one : client.get("/v1/jails/web/snapshots")["items"])
            if (one["name"].get<std::string>().starts_with("restore-")) return one["name"];
        return {};
    }
    [[nodiscard]] std::string datasets() const {
        return run_or_fail({"/sbin/zfs", "list", "-H", "-r", "-t", "all", "-o", "name,origin", pool.parent()});
    }
};

TEST_CASE("a snapshot of a dataset is one of ZFS, and goes when it is removed", "[zfs][snapshots]") {
    const SnapshotScene test;
    const auto dataset = zfs::dataset(test.pool.parent(), test.client.instance(), test.client.id("web"));
    test.take("first");
    CHECK(test.datasets().contains(dataset + "@jaild-1\t-\n"));
    CHECK(test.client.get("/v1/jails/web/snapshots/first")["state"] == "ready");
    test.drop("web", "first");
    CHECK_FALSE(test.datasets().contains("@"));
    test.take("second");
    test.client.remove("web");
    CHECK(test.datasets() == test.pool.parent() + "\t-\n");
}

TEST_CASE("a root becomes what any of its snapshots holds, and what it was can be had back", "[zfs][snapshots]") {
    const SnapshotScene test;
    test.take("one");
    test.write("2");
    test.take("two");
    test.write("3");
    test.restore("one");
    CHECK(test.read() == "1");
    test.restore("two");
    CHECK(test.read() == "2");
    test.write("4");
    test.restore("one");
    CHECK(test.read() == "1");
    const auto third = test.kept();
    REQUIRE_FALSE(third.empty());
    SECTION("the oldest that was kept") {
        test.restore(third);
        CHECK(test.read() == "3");
    }
    SECTION("others stay when one that they stand on goes") {
        test.drop("web", "one");
        test.restore("two");
        CHECK(test.read() == "2");
    }
    SECTION("nothing is aside that keeps nothing") {
        for (const auto& one : test.client.get("/v1/jails/web/snapshots")["items"]) test.drop("web", one["name"]);
        const auto dataset = zfs::dataset(test.pool.parent(), test.client.instance(), test.client.id("web"));
        CHECK(test.datasets() == test.pool.parent() + "\t-\n" + dataset + "\t-\n");
    }
    test.client.remove("web");
    CHECK(test.datasets() == test.pool.parent() + "\t-\n");
}

TEST_CASE("a jail from a snapshot stands for itself when the snapshot and its jail go", "[zfs][snapshots]") {
    const SnapshotScene test;
    test.take("one");
    test.write("2");
    test.ask("POST", "/v1/jails/web/snapshots/one/clone", json{{"name", "twin"}}.dump());
    CHECK(eventually([&] { return test.client.state("twin") == "running"; }));
    CHECK(test.read("twin") == "1");
    CHECK(test.read() == "2");
    SECTION("its snapshot first") {
        test.drop("web", "one");
    }
    SECTION("after a restoration") {
        test.restore("one");
    }
    SECTION("at once") {}
    test.client.remove("web");
    CHECK(test.read("twin") == "1");
    const auto twin = zfs::dataset(test.pool.parent(), test.client.instance(), test.client.id("twin"));
    CHECK(test.datasets() == test.pool.parent() + "\t-\n" + twin + "\t-\n");
    test.client.remove("twin");
    CHECK(test.datasets() == test.pool.parent() + "\t-\n");
}

/// The datasets of one jail by themselves.
struct FamilyScene {
    static constexpr JailId kJail{7};
    static constexpr kernel::SnapshotKey kFirst{.jail = kJail, .id = SnapshotId{1}};
    static constexpr SnapshotId kKept{2};
    TestHost host;
    Pool pool{host};
    kernel::freebsd::JailDatasets datasets{host.instance(), pool.parent(), kJail};

    FamilyScene() {
        run_or_fail(zfs::create(datasets.name(), zfs::owner(host.instance(), kJail)));
        run_or_fail(zfs::take(datasets.name(), host.instance(), kFirst));
    }
};

TEST_CASE("a restoration that was killed anywhere is gone on from", "[zfs][snapshots]") {
    FamilyScene test;
    const auto& name = test.datasets.name();
    const auto old = zfs::aside(name, FamilyScene::kKept);
    const auto take = [&] {
        run_or_fail(zfs::take(name, test.host.instance(), {.jail = FamilyScene::kJail, .id = FamilyScene::kKept}));
    };
    const auto clone = [&] {
        run_or_fail(zfs::clone(old + "@jaild-1", name, zfs::owner(test.host.instance(), FamilyScene::kJail)));
    };
    SECTION("before anything") {}
    SECTION("with what is kept taken") {
        take();
    }
    SECTION("with the old one aside") {
        take();
        run_or_fail(zfs::rename(name, old));
    }
    SECTION("with the clone made") {
        take();
        run_or_fail(zfs::rename(name, old));
        clone();
    }
    SECTION("with the clone promoted") {
        take();
        run_or_fail(zfs::rename(name, old));
        clone();
        run_or_fail(zfs::promote(name));
        CHECK(value_of(test.datasets.restored(FamilyScene::kKept)));
    }
    value_of(test.datasets.restore(FamilyScene::kFirst, FamilyScene::kKept));
    CHECK(value_of(test.datasets.restored(FamilyScene::kKept)));
    const auto family = value_of(test.datasets.family());
    CHECK(family == std::vector<zfs::Member>{{.name = name, .origin = ""}, {.name = old, .origin = name + "@jaild-1"}});
    // Once more changes nothing.
    value_of(test.datasets.restore(FamilyScene::kFirst, FamilyScene::kKept));
    CHECK(value_of(test.datasets.family()) == family);
    value_of(test.datasets.destroy());
    CHECK(test.pool.listed() == test.pool.parent() + "\t-\n");
    value_of(test.datasets.destroy());
}

TEST_CASE("a snapshot that is not there is said, and nothing is changed", "[zfs][snapshots]") {
    const FamilyScene test;
    const auto before = value_of(test.datasets.snapshots());
    CHECK(
        error_of(test.datasets.restore({.jail = FamilyScene::kJail, .id = SnapshotId{9}}, FamilyScene::kKept)).name() ==
        "snapshot_missing");
    CHECK(value_of(test.datasets.snapshots()) == before);
    run_or_fail({"/sbin/zfs", "snapshot", test.datasets.name() + "@of-somebody"});
    CHECK(error_of(test.datasets.destroy()).name() == "dataset_busy");
    CHECK(value_of(test.datasets.find(FamilyScene::kFirst)));
    run_or_fail({"/sbin/zfs", "destroy", test.datasets.name() + "@of-somebody"});
    value_of(test.datasets.destroy());
}

}  // namespace
}  // namespace jaild::test
