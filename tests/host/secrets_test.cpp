#include "tests/catch.h"
#include "tests/host/secrets_fixture.h"

using namespace jaild::test;

namespace {

/// Reads the secret as grep's pattern, and no devices.
const std::string kGrep = "grep -r -s -l -D skip -F -f /dev/stdin -- ";

/// Directories of the jail's root, for a line of sh(1) that goes on with "$@". Of /usr only /usr/local can be anybody's
/// own: the rest is the system's packages.
const std::string kPlaces =
    "set --; for one in /* /usr/local; do case $one in "
    "/proc|/sys|/usr|/bin|/sbin|/lib*) ;; *) set -- \"$@\" $one;; esac; done; ";

}  // namespace

TEST_CASE("nothing of the host's /etc, /root, /home and /usr/local is seen in a thin jail", "[secrets]") {
    const Seen test;
    INFO("what is there is found");
    REQUIRE(test.found("cat > /root/own; " + kPlaces + "find \"$@\" -name own") == "/root/own\n");
    REQUIRE(test.found(kPlaces + kGrep + "\"$@\"") == "/root/own\n");
    REQUIRE(test.found("rm /root/own").empty());

    CHECK(test.found(kPlaces + "find \"$@\" -name " + test.name) == "");
    CHECK(test.found(kPlaces + kGrep + "\"$@\"") == "");
}
