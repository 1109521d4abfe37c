#include "core/kernel/freebsd/pure/solicitation.h"

#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;
using namespace jaild::test;

TEST_CASE("a router solicitation is the frame that RFC 4861 describes", "[freebsd]") {
    const auto frame = value_of(router_solicitation("02:00:5e:00:53:ff"));
    const std::string expected(
        "\x33\x33\x00\x00\x00\x02\x02\x00\x5e\x00\x53\xff\x86\xdd"          // to all routers, IPv6
        "\x60\x00\x00\x00\x00\x08\x3a\xff"                                  // 8 bytes of ICMPv6, hop limit 255
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"  // from ::
        "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"  // to ff02::2
        "\x85\x00\x7b\xb8\x00\x00\x00\x00",                                 // solicitation, checksum, reserved
        62);
    CHECK(frame == expected);
}

TEST_CASE("a router solicitation is sent from a MAC address only", "[freebsd]") {
    const auto* text = GENERATE("", "02:00:5e:00:53", "02:00:5e:00:53:ff:", "02-00-5e-00-53-ff", "0g:00:5e:00:53:ff",
                                "02:00:5e:00:53:f ", "2:000:5e:00:53:ff");
    CAPTURE(text);
    CHECK(error_of(router_solicitation(text)).code == Errc::invalid);
}
