#include "core/base/ip.h"

#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

namespace {

IpAddress ip(const char* text) {
    return value_of(IpAddress::parse(text));
}
Prefix prefix(const char* text) {
    return value_of(Prefix::parse(text));
}

}  // namespace

TEST_CASE("an address prints in its usual form", "[ip]") {
    CHECK(ip("10.213.0.2").to_string() == "10.213.0.2");
    CHECK(ip("2001:DB8:0:0:0:0:0:1").to_string() == "2001:db8::1");
    CHECK(ip("::").family == Family::ipv6);
    CHECK(ip("2001:db8::1") == ip("2001:0db8:0::0001"));
    CHECK(ip("0.0.0.0") != ip("::"));
}

TEST_CASE("what is no address is refused", "[ip]") {
    const auto* text =
        GENERATE("", "10.0.0", "10.0.0.256", "10.0.0.1.", " 10.0.0.1", "010.0.0.1", "fe80::1%lo0", "::g", "host",
                 "1:2:3:4:5:6:7:8:9", "10.0.0.1/24", "1111:2222:3333:4444:5555:6666:123.123.123.1234");
    INFO(text);
    CHECK(error_of(IpAddress::parse(text)).name() == "invalid_address");
}

TEST_CASE("an address does not hide anything behind a NUL", "[ip]") {
    CHECK_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)).has_value());
}

TEST_CASE("a prefix keeps its host bits until its network is asked for", "[ip]") {
    CHECK(prefix("10.213.7.9/24").to_string() == "10.213.7.9/24");
    CHECK(prefix("10.213.7.9/24").network().to_string() == "10.213.7.0/24");
    CHECK(prefix("10.213.7.9/20").network().to_string() == "10.213.0.0/20");
    CHECK(prefix("10.213.7.9/0").network().to_string() == "0.0.0.0/0");
    CHECK(prefix("10.213.7.9/32").network().to_string() == "10.213.7.9/32");
    CHECK(prefix("fd00:1:2:3:4:5:6:7/64").network().to_string() == "fd00:1:2:3::/64");
    CHECK(prefix("fd00:1:2:ffff::/52").network().to_string() == "fd00:1:2:f000::/52");
}

TEST_CASE("what is no prefix is refused", "[ip]") {
    const auto* text = GENERATE("10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/+8", "10.0.0.1/08",
                                "10.0.0.1/8 ", "::/129", "/24", "10.0.0.1/24/8", "10.0.0.1/4294967320");
    INFO(text);
    CHECK(error_of(Prefix::parse(text)).code == Errc::invalid);
}

TEST_CASE("a prefix contains the addresses of its own family that share its bits", "[ip]") {
    CHECK(prefix("10.213.0.0/24").contains(ip("10.213.0.255")));
    CHECK_FALSE(prefix("10.213.0.0/24").contains(ip("10.213.1.0")));
    CHECK(prefix("10.213.0.77/25").contains(ip("10.213.0.127")));
    CHECK_FALSE(prefix("10.213.0.77/25").contains(ip("10.213.0.128")));
    CHECK(prefix("0.0.0.0/0").contains(ip("192.0.2.1")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
    CHECK(prefix("fd00::/8").contains(ip("fdff::1")));
}

TEST_CASE("prefixes overlap when one contains the other, in either order", "[ip]") {
    const auto overlap = [](const char* a, const char* b) {
        CHECK(prefix(a).overlaps(prefix(b)) == prefix(b).overlaps(prefix(a)));
        return prefix(a).overlaps(prefix(b));
    };
    CHECK(overlap("10.213.0.0/16", "10.213.9.0/24"));
    CHECK(overlap("10.213.9.3/24", "10.213.9.200/24"));
    CHECK_FALSE(overlap("10.213.8.0/24", "10.213.9.0/24"));
    CHECK(overlap("0.0.0.0/0", "10.0.0.1/32"));
    CHECK_FALSE(overlap("0.0.0.0/0", "::/0"));
    CHECK(overlap("fd00:1::/32", "fd00:1:2:3::/64"));
    CHECK_FALSE(overlap("fd00:1:2:3::/64", "fd00:1:2:4::/64"));
}

TEST_CASE("addresses are counted from the network's first, with carry", "[ip]") {
    CHECK(prefix("10.213.0.77/16").nth(1).to_string() == "10.213.0.1");
    CHECK(prefix("10.213.0.0/16").nth(256).to_string() == "10.213.1.0");
    CHECK(prefix("10.213.0.0/16").nth(65535).to_string() == "10.213.255.255");
    CHECK(prefix("fd00::/64").nth(1).to_string() == "fd00::1");
    CHECK(prefix("fd00::/64").nth(0xffff'ffff'ffff'ffff).to_string() == "fd00::ffff:ffff:ffff:ffff");
}
