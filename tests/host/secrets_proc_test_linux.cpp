#include "tests/catch.h"
#include "tests/host/secrets_fixture.h"

using namespace jaild::test;

TEST_CASE("nothing of the host is seen through a jail's /proc", "[secrets]") {
    const Seen test;
    const std::string look =
        "grep -s -l -a -F -f /dev/stdin /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/environ";
    INFO("what is there is found");
    REQUIRE(test.found("read -r OWN; export OWN; echo $OWN | " + look).ends_with("/proc/self/environ\n"));

    CHECK(test.found(look) == "");
    CHECK(test.found("ls -d /proc/[0-9]*/root/*/" + test.name + " /proc/[0-9]*/root/usr/local/" + test.name +
                     " /proc/[0-9]*/cwd/" + test.name + " /proc/[0-9]*/fd/*/" + test.name + " 2>/dev/null") == "");
    CHECK(test.found("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F " + test.host.state_directory().string()) == "");
    // The pause process, the command, and what looks.
    CHECK(test.client.sh("web", "set -- /proc/[0-9]*; [ $# -le 4 ] || echo $# processes").empty());
}
