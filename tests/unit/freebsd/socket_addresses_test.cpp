#include "core/kernel/freebsd/pure/socket_addresses.h"

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;

namespace {

std::string raw(std::initializer_list<int> bytes, std::size_t size) {
    std::string text;
    for (const int byte : bytes) text.push_back(static_cast<char>(byte));
    text.resize(size, '\0');
    return text;
}

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

}  // namespace

TEST_CASE("socket addresses begin with their length, as FreeBSD's do", "[freebsd]") {
    CHECK(socket_address(ip("10.213.0.2")) == raw({16, 2, 0, 0, 10, 213, 0, 2}, 16));
    CHECK(socket_address(ip("fd00::2")) ==
          raw({28, 28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 28));
}

TEST_CASE("a netmask and its length belong together", "[freebsd]") {
    CHECK(netmask(Family::ipv4, 24) == ip("255.255.255.0"));
    CHECK(netmask(Family::ipv4, 0) == ip("0.0.0.0"));
    CHECK(netmask(Family::ipv4, 31) == ip("255.255.255.254"));
    CHECK(netmask(Family::ipv6, 64) == ip("ffff:ffff:ffff:ffff::"));
    CHECK(netmask(Family::ipv6, 128) == ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    for (unsigned length = 0; length <= 128; ++length) {
        CAPTURE(length);
        CHECK(mask_length(netmask(Family::ipv6, length)) == length);
    }
    CHECK_FALSE(mask_length(ip("255.0.255.0")));
}

TEST_CASE("the broadcast address is the last one of its network, but for the smallest ones", "[freebsd]") {
    CHECK(broadcast(*Prefix::parse("10.213.0.2/24")) == ip("10.213.0.255"));
    CHECK(broadcast(*Prefix::parse("10.213.5.2/20")) == ip("10.213.15.255"));
    CHECK(broadcast(*Prefix::parse("10.213.0.2/31")) == ip("255.255.255.255"));
    CHECK(broadcast(*Prefix::parse("10.213.0.2/32")) == ip("10.213.0.2"));
}

TEST_CASE("addresses of a route(4) message stand on boundaries of a long", "[freebsd]") {
    const auto joined = join({socket_address(ip("0.0.0.0")), socket_address(ip("fd00::1")), std::string(5, '\x05')});

    CHECK(joined.size() == 16 + 32 + 8);
    CHECK(joined.substr(16, 2) == raw({28, 28}, 2));
    CHECK(joined.substr(44, 4) == std::string(4, '\0'));
}

TEST_CASE("what was joined is split again", "[freebsd]") {
    const auto bytes =
        join({socket_address(ip("fd00::")), socket_address(ip("fd00::1")), socket_address(netmask(Family::ipv6, 64))});
    const auto all = split(bytes, 0x7);

    REQUIRE(all);
    CHECK((*all)[0]->address == ip("fd00::"));
    CHECK((*all)[1]->address == ip("fd00::1"));
    CHECK(split_mask_length(*all, Family::ipv6) == 64);
    CHECK_FALSE((*all)[3]);
}

TEST_CASE("netmasks that the kernel cut short are understood", "[freebsd]") {
    const auto default_route = split(socket_address(ip("0.0.0.0")) + raw({0}, 8), 0x5);
    REQUIRE(default_route);
    CHECK(split_mask_length(*default_route, Family::ipv4) == 0);

    const auto short_mask = split(socket_address(ip("10.0.0.0")) + raw({5, 0, 0, 0, 255}, 8), 0x5);
    REQUIRE(short_mask);
    CHECK(split_mask_length(*short_mask, Family::ipv4) == 8);

    const auto host_route = split(socket_address(ip("10.0.0.1")), 0x1);
    REQUIRE(host_route);
    CHECK(split_mask_length(*host_route, Family::ipv4) == 32);
}

TEST_CASE("the scope that the kernel keeps within a link-local address is taken out", "[freebsd]") {
    auto bytes = socket_address(ip("fe80::1"));
    bytes[8 + 3] = 2;  // interface 2
    const auto all = split(bytes, 0x1);

    REQUIRE(all);
    CHECK((*all)[0]->address == ip("fe80::1"));
}

TEST_CASE("a message that ends too early has no addresses", "[freebsd]") {
    CHECK_FALSE(split("", 0x1));
    CHECK_FALSE(split(socket_address(ip("10.0.0.1")).substr(0, 9), 0x1));
    CHECK_FALSE(split(socket_address(ip("10.0.0.1")), 0x3));
}

TEST_CASE("an address of another family is kept as bytes only", "[freebsd]") {
    const auto link = raw({20, 18, 3, 0}, 24);  // AF_LINK
    const auto all = split(link, 0x2);

    REQUIRE(all);
    REQUIRE((*all)[1]);
    CHECK_FALSE((*all)[1]->address);
    CHECK((*all)[1]->bytes.size() == 20);
}
