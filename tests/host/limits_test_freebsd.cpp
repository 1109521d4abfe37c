#include "tests/catch.h"
#include "tests/host/client.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

TEST_CASE("limits bind the first program of a jail, and go with it", "[limits][racct]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const auto rules = [] { return lines_with({"rctl"}, "jail:web:"); };
    client.create({{"name", "web"},
                   {"limits", {{"maxproc", 5}}},
                   {"exec", {{"start", {"/bin/sh", "-c", "(for i in 1 2 3 4 5 6 7; do sleep 1 & done); :"}}}}});
    CHECK(rules() == std::vector<std::string>{"jail:web:maxproc:deny=5"});
    CHECK_THAT(client.log("web"), Catch::Contains("Cannot fork"));
    client.remove("web");
    CHECK(rules().empty());
}
