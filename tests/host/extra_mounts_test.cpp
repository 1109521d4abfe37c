#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/host/by_hand.h"
#include "tests/host/eventually.h"
#include "tests/host/text_files.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Mounts of the spec, in a jail without a network.
struct Mounted {
    TempDirectory directory;
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    fs::path shared = directory.path() / "shared";

    explicit Mounted(const Argv& arguments = {}) {
        fs::create_directories(shared);
        write_file(shared / "greeting", "hello\n");
        daemon.start(arguments);
    }

    static json spec(const std::string& name, json mounts) {
        return {{"name", name}, {"network", {{"mode", "none"}}}, {"mounts", std::move(mounts)}};
    }
    [[nodiscard]] json bind(const std::string& target, json options = json::array()) const {
        return {{"source", shared.string()}, {"target", target}, {"options", std::move(options)}};
    }
    [[nodiscard]] bool is_there(const std::string& file) const {
        return client.exec("web", {"test", "-e", file}).at("exit_code") == 0;
    }
    [[nodiscard]] std::string plan() const { return client.get("/v1/jails/web/plan").at("plan").dump(); }
};

}  // namespace

TEST_CASE("a jail has the mounts of its spec, with their options", "[mounts]") {
    const Mounted test;
    const json tmpfs{{"type", "tmpfs"}, {"target", "/var/cache/small"}, {"size", "1M"}, {"options", {"noexec"}}};
    test.client.create(Mounted::spec("web", {test.bind("/data", {"ro"}), test.bind("/data2"), tmpfs}));
    CHECK(test.client.sh("web", "cat /data/greeting") == "hello");
    CHECK(test.client.exec("web", {"touch", "/data/mine"}).at("exit_code") != 0);
    CHECK(test.client.sh("web", "echo theirs > /data2/answer").empty());
    CHECK(read_file(test.shared / "answer") == "theirs\n");
    CHECK(test.client.sh("web", "cp /bin/echo /var/cache/small/echo").empty());
    const json program{{"argv", {"/var/cache/small/echo", "ran"}}};
    CHECK(test.daemon.request("POST", "/v1/jails/web/exec", program.dump()).body.find("program_not_executable") !=
          std::string::npos);
    CHECK(test.client.exec("web", {"sh", "-c", "dd if=/dev/zero of=/var/cache/small/big bs=65536 count=32"})
              .at("exit_code") != 0);

    test.client.remove("web");
    CHECK(read_file(test.shared / "greeting") == "hello\n");
    CHECK(leftovers_beside(test.host, test.daemon).empty());
}

TEST_CASE("mounts come to a running jail and go from it, and its programs go on", "[mounts]") {
    const Mounted test;
    test.client.create(Mounted::spec("web", {test.bind("/data")}));
    const auto life = test.client.life("web");

    test.client.change("web", {{"mounts", {test.bind("/data"), test.bind("/srv/more", {"ro"})}}});
    CHECK(test.client.sh("web", "cat /srv/more/greeting") == "hello");
    test.client.change("web", {{"mounts", {test.bind("/srv/more", {"ro"})}}});
    CHECK_FALSE(test.is_there("/data/greeting"));
    CHECK(test.is_there("/srv/more/greeting"));
    CHECK_FALSE(test.client.has_condition("web", "RestartRequired"));

    // One that is to be another at its place waits.
    test.client.change("web", {{"mounts", {test.bind("/srv/more")}}});
    CHECK(test.client.has_condition("web", "RestartRequired"));
    CHECK(test.client.exec("web", {"touch", "/srv/more/mine"}).at("exit_code") != 0);
    CHECK(test.client.life("web") == life);
    test.client.restart("web");
    CHECK(test.client.exec("web", {"touch", "/srv/more/mine"}).at("exit_code") == 0);
    CHECK(test.plan() == "[]");
}

TEST_CASE("a mount that is in use stays until it is not, and says what holds it", "[mounts]") {
    const Mounted test;
    auto spec = Mounted::spec("web", {test.bind("/data")});
    spec["command"] = {"sh", "-c", "cd /data && touch entered && while :; do sleep 1; done"};
    test.client.create(spec);
    REQUIRE(eventually([&] { return fs::exists(test.shared / "entered"); }));
    const auto reply = test.daemon.request("PATCH", "/v1/jails/web", json{{"mounts", json::array()}}.dump());
    INFO(reply.body);
    CHECK(reply.status == 202);
    CHECK(eventually([&] { return test.client.jail("web").dump().find("mount_busy") != std::string::npos; }));
    test.client.restart("web");
    CHECK_FALSE(test.is_there("/data/greeting"));
}

TEST_CASE("a mount of the spec that somebody takes away comes back", "[mounts][drift]") {
    const Mounted test;
    test.client.create(Mounted::spec("web", {test.bind("/data", {"ro"})}));
    const auto before = test.client.last_event();
    by_hand::unmount(test.host.state_directory() / "jails" / std::to_string(test.client.id("web").value) / "root/data");
    CHECK(eventually([&] { return !test.client.repairs(before, "jail", "web").empty(); }));
    CHECK(eventually([&] { return test.is_there("/data/greeting"); }));
}

TEST_CASE("a jail's root leads no mount out of the jail by a symbolic link", "[mounts][hostile]") {
    const Mounted test;
    const auto outside = test.directory.path() / "outside";
    fs::create_directories(outside);
    test.client.create(Mounted::spec("web", json::array()));
    const auto links = "ln -s " + outside.string() + " /data && ln -s ../../../../../.." + outside.string() + " /up";
    CHECK(test.client.sh("web", links).empty());
    for (const auto* target : {"/data", "/data/deeper", "/up"}) {
        INFO(target);
        const auto reply = test.daemon.request("PATCH", "/v1/jails/web", json{{"mounts", {test.bind(target)}}}.dump());
        CHECK(reply.status == 202);
        CHECK(eventually([&] { return test.client.jail("web").dump().find("symbolic_link") != std::string::npos; }));
        CHECK(fs::is_empty(outside));
    }
}

TEST_CASE("the source of a mount is judged again when it is mounted", "[mounts][hostile]") {
    const Mounted test;
    const auto source = test.shared / "theirs";
    fs::create_directories(source);
    test.client.create(Mounted::spec("web", {{{"source", source.string()}, {"target", "/data"}}}));
    test.client.change("web", {{"running", false}});
    fs::remove(source);
    fs::create_directory_symlink(test.host.state_directory(), source);
    const auto reply = test.daemon.request("PATCH", "/v1/jails/web", R"({"running": true})");
    CHECK(reply.status == 202);
    CHECK(eventually([&] { return test.client.jail("web").dump().find("mount_source_refused") != std::string::npos; }));
    CHECK(test.client.state("web") == "failed");
}

TEST_CASE("a missing source is made when that was asked for", "[mounts]") {
    const Mounted test;
    const auto source = test.shared / "new" / "deeper";
    json mount{{"source", source.string()}, {"target", "/data"}};
    const auto refused = test.daemon.request("POST", "/v1/jails", Mounted::spec("web", {mount}).dump());
    CHECK(refused.status == 422);
    CHECK(json::parse(refused.body).at("field") == "/mounts/0/source");
    mount["create"] = true;
    test.client.create(Mounted::spec("web", {mount}));
    CHECK(fs::is_directory(source));
    test.client.remove("web");
    CHECK(fs::is_directory(source));
}

TEST_CASE("nothing is made in a path root to mount on", "[mounts]") {
    const Mounted test;
    const auto root = test.directory.path() / "root";
    for (const auto* directory : {"proc", "dev", "sys", "data"}) fs::create_directories(root / directory);
    auto spec = Mounted::spec("web", {test.bind("/other")});
    spec["root"] = {{"kind", "path"}, {"path", root.string()}};
    const auto reply = test.daemon.request("POST", "/v1/jails", spec.dump());
    CHECK(reply.status == 202);
    CHECK(eventually([&] { return test.client.jail("web").dump().find("mount_point_missing") != std::string::npos; }));
    CHECK_FALSE(fs::exists(root / "other"));
    test.client.remove("web");

    spec["mounts"] = {test.bind("/data")};
    test.client.create(spec);
    test.client.remove("web");
    CHECK(fs::is_empty(root / "data"));
}
