#include "tests/catch.h"
#include "tests/host/secrets_fixture.h"

using namespace jaild::test;

TEST_CASE("nothing of the host is seen in a jail's list of processes", "[secrets]") {
    const Seen test;
    const std::string look = "exec 3<&0; ps -axwwe -o command= | grep -F -f /dev/fd/3";
    INFO("what is there is found");
    REQUIRE(test.found("read -r OWN; export OWN; echo $OWN | { " + look + "; }").contains(" OWN="));

    CHECK(test.found(look) == "");
    CHECK(test.found("ps -axww -o command= | grep -F " + test.host.state_directory().string() + " | grep -v grep") ==
          "");
    // The command, and what looks.
    CHECK(test.client.sh("web", "set -- $(ps -ax -o pid=); [ $# -le 3 ] || echo $# processes").empty());
}
