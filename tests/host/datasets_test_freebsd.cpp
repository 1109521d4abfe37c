#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "core/base/unique_fd.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/zfs_pool_freebsd.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

namespace jaild::test {
namespace {

using nlohmann::json;

/// A pool with a dataset that was made for a jail, mounted on the host as zfs-create(8) leaves it.
struct DatasetScene {
    TempDirectory directory;
    TestHost host;
    Pool pool{host};
    Daemon daemon{host};
    Client client{daemon};
    std::string pool_name = pool.parent().substr(0, pool.parent().find('/'));
    std::string dataset = pool_name + "/web";
    std::filesystem::path point = directory.path() / "on-host";

    DatasetScene() {
        run_or_fail({"/sbin/zfs", "create", "-o", "mountpoint=" + point.string(), dataset});
        daemon.start({"--config", pool.config()});
    }
    [[nodiscard]] json spec(const std::string& name = "web") const {
        return {{"name", name}, {"network", {{"mode", "none"}}}, {"datasets", {dataset}}};
    }
    [[nodiscard]] std::string value(const std::string& property, const std::string& of) const {
        auto text = run_or_fail({"/sbin/zfs", "get", "-H", "-o", "value", property, of});
        text.erase(text.find_last_not_of('\n') + 1);
        return text;
    }
    [[nodiscard]] bool mounted(const std::string& what) const {
        return !lines_with({"/sbin/mount", "-p"}, what).empty();
    }
    /// The answer to a spec that is not taken.
    [[nodiscard]] json refused(const json& spec) const {
        const auto answer = daemon.request("POST", "/v1/jails", spec.dump());
        INFO(answer.body);
        CHECK(answer.status >= 400);
        return json::parse(answer.body);
    }
};

}  // namespace

TEST_CASE("a jail manages and mounts the dataset that it is given, and the host does not", "[zfs][datasets]") {
    const DatasetScene test;
    const auto& dataset = test.dataset;
    const auto& client = test.client;
    CHECK(test.mounted(dataset));
    client.create(test.spec());
    CHECK(test.value("jailed", dataset) == "on");
    CHECK_FALSE(test.mounted(dataset));

    CHECK(client.sh("web", "zfs list -H -o name " + dataset) == dataset);
    CHECK(client.sh("web", "zfs create -o mountpoint=/data " + dataset + "/data && echo kept > /data/x").empty());
    CHECK(client.sh("web", "zfs snapshot " + dataset + "/data@one && cat /data/.zfs/snapshot/one/x") == "kept");
    // Nothing else of the pool.
    CHECK(client.exec("web", {"zfs", "list", test.pool.parent()}).at("exit_code") != 0);
    CHECK(client.exec("web", {"zfs", "create", test.pool_name + "/other"}).at("exit_code") != 0);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());

    client.change("web", {{"running", false}});
    CHECK_FALSE(test.mounted(dataset));
    CHECK(test.value("jailed", dataset) == "on");
    CHECK(eventually([&] { return client.state("web") == "stopped"; }));
    client.change("web", {{"running", true}});
    CHECK(client.sh("web", "zfs mount " + dataset + "/data && cat /data/x") == "kept");

    client.remove("web");
    CHECK_FALSE(test.mounted(dataset));
    CHECK(test.value("mountpoint", dataset + "/data") == "/data");
    const json mount{{"type", "zfs"}, {"source", dataset}, {"target", "/data"}};
    CHECK(test.refused({{"name", "web"}, {"mounts", {mount}}}).at("code") == "mount_source_refused");
    CHECK(leftovers_beside(test.host, test.daemon).empty());
}

TEST_CASE("a jail keeps its datasets when the daemon dies, and has them again after its own end", "[zfs][datasets]") {
    DatasetScene test;
    const auto list = "zfs list -H -o name " + test.dataset;
    test.client.create(test.spec());
    const auto life = test.client.life("web");
    test.daemon.kill();
    test.daemon.start({"--config", test.pool.config()});
    CHECK(test.client.life("web") == life);
    CHECK(test.client.sh("web", list) == test.dataset);
    test.client.restart("web");
    CHECK_FALSE(test.client.life("web") == life);
    CHECK(test.client.sh("web", list) == test.dataset);
}

TEST_CASE("a dataset that is in use on the host is not taken from it", "[zfs][datasets]") {
    const DatasetScene test;
    const UniqueFd open(::open(test.point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(open);
    const auto answer = test.daemon.request("POST", "/v1/jails", test.spec().dump());
    CHECK(answer.status == 202);
    CHECK(eventually([&] { return test.client.jail("web").dump().find("dataset_busy") != std::string::npos; }));
    CHECK(test.mounted(test.dataset));
    CHECK(test.value("jailed", test.dataset) == "off");
}

TEST_CASE("what is jaild's, the host's or not there is not given away", "[zfs][datasets]") {
    const DatasetScene test;
    const auto code = [&](const std::string& dataset) {
        auto spec = test.spec();
        spec["datasets"] = {test.dataset, dataset};
        const auto problem = test.refused(spec);
        CHECK(problem.at("field") == "/datasets/1");
        CHECK_FALSE(problem.at("remedy").get<std::string>().empty());
        return problem.at("code").get<std::string>();
    };
    CHECK(code(test.pool_name + "/missing") == "dataset_missing");
    CHECK(code(test.pool.parent()) == "dataset_refused");
    CHECK(code(test.pool.parent() + "/x") == "dataset_missing");
    const auto volume = test.pool_name + "/volume";
    run_or_fail({"/sbin/zfs", "create", "-V", "8M", volume});
    CHECK(code(volume) == "dataset_refused");
    const auto usr = test.pool_name + "/usr";
    run_or_fail({"/sbin/zfs", "create", "-o", "mountpoint=/", "-o", "canmount=noauto", usr});
    CHECK(code(usr) == "dataset_refused");
    run_or_fail({"/sbin/zfs", "set", "mountpoint=none", usr});
    run_or_fail({"/sbin/zfs", "create", "-o", "jailed=off", usr + "/own"});
    CHECK(code(usr) == "dataset_refused");
    CHECK(test.value("jailed", test.dataset) == "off");
    CHECK(test.mounted(test.dataset));
}

}  // namespace jaild::test
