#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <chrono>

#include "tests/catch.h"
#include "tests/host/client.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Past the host's memory: what control groups of version 1 count.
const Argv kWrite{"/bin/sh", "-c", "dd if=/dev/zero of=/written bs=64k count=32 oflag=direct 2>&1"};

std::chrono::milliseconds time_of(const Client& client, const std::string& jail) {
    const auto begun = std::chrono::steady_clock::now();
    const auto ran = client.exec(jail, kWrite);
    INFO(ran);
    CHECK(ran.at("exit_code") == 0);
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
}

}  // namespace

TEST_CASE("a jail writes no faster than it may, and its neighbour as ever", "[limits][disk]") {
    using std::chrono::milliseconds;
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const json slow{{"writebps", "1M"}};
    struct stat state {};
    REQUIRE(::stat(host.state_directory().c_str(), &state) == 0);
    if (major(state.st_dev) == 0) {
        // Nothing here can be slowed down, and that is said when it is asked for.
        const json asked{{"name", "web"}, {"limits", slow}};
        const auto refused = daemon.request("POST", "/v1/jails", asked.dump());
        CHECK(refused.status == 422);
        CHECK(json::parse(refused.body).at("code") == "limits_unsupported");
        return;
    }
    client.create({{"name", "free"}});
    const auto begun = std::chrono::steady_clock::now();
    client.create({{"name", "web"}, {"limits", slow}, {"exec", {{"start", kWrite}}}});
    CHECK(std::chrono::steady_clock::now() - begun > milliseconds{1500});  // its first program, too
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    const auto limited = time_of(client, "web");
    const auto free = time_of(client, "free");
    CHECK(limited > milliseconds{1500});
    CHECK(free < limited / 2);

    client.change("web", {{"limits", {{"writebps", nullptr}, {"writeiops", 8}}}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(time_of(client, "web") > milliseconds{2000});  // 32 at 8 a second
    client.change("web", {{"limits", {{"writeiops", nullptr}, {"readbps", "1G"}}}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(time_of(client, "web") < limited / 2);

    // As it was, to a daemon that knows nothing yet.
    daemon.kill();
    daemon.start();
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    client.change("web", {{"limits", {{"readbps", nullptr}}}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
}
