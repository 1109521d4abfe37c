#include <algorithm>

#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "core/kernel/freebsd/pure/pf_rules.h"
#include "core/kernel/freebsd/pure/rctl_rules.h"
#include "core/kernel/freebsd/pure/socket_addresses.h"
#include "core/kernel/names.h"
#include "tests/instance.h"

/// Texts and bytes for the kernel where they are longest, empty, or of another family than usual.

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel::freebsd;
using namespace std::string_literals;
using jaild::test::instance;
using jaild::test::value_of;

namespace {

constexpr std::int64_t kLastShort = 2'821'109'907'455;  // "zzzzzzzz": the last id with eight digits in base 36

std::string longest_name() {
    return "a" + std::string(62, '-');
}

}  // namespace

TEST_CASE("the longest name of a jail is one iovec and one subject of rctl(8)", "[freebsd][awkward]") {
    const auto name = value_of(model::Name::parse(longest_name()));
    const auto encoded = encode(creation_parameters({.id = JailId{1}, .name = name, .hostname = "h"}, "/r"));
    CHECK(encoded.at(0) == EncodedParameter{"name\0"s, longest_name() + '\0'});

    const model::LimitRule rule{.resource = "memoryuse", .limit = {.amount = INT64_MAX, .action = "sigvtalrm"}};
    const auto text = rctl::rule_text(name.text(), rule);
    CHECK(text == "jail:" + longest_name() + ":memoryuse:sigvtalrm=9223372036854775807/jail");
    CHECK(rctl::parse_rules(text + "," + text) ==
          std::vector<rctl::JailRule>{{longest_name(), rule}, {longest_name(), rule}});
}

TEST_CASE("an interface's name of 15 characters stands whole in pf.conf(5) and in the arguments of jaild-inside",
          "[freebsd][awkward]") {
    const auto host = pair_name(instance(), {JailId{kLastShort}}, PairEnd::host);
    CHECK(host == "jk3f9azzzzzzzza");
    CHECK(host.size() == kMaxInterfaceName);
    const auto arguments = to_arguments(InsideLink{.host_name = host, .mark = "m"});
    CHECK(std::ranges::find(arguments, "host_name=jk3f9azzzzzzzza") != arguments.end());

    model::Network network{.id = NetworkId{kLastShort},
                           .name = value_of(model::Name::parse("n")),
                           .ipv4 = value_of(Prefix::parse("10.0.0.0/24")),
                           .ipv6 = value_of(Prefix::parse("fd00::/64"))};
    const auto rules = pf::network_rules(instance(), network, {{.name = "fifteen_chars_0", .ipv4 = true}});
    CHECK(rules.nat == std::vector{"nat on fifteen_chars_0 inet from 10.0.0.0/24 to any -> (fifteen_chars_0:0)"s});
    CHECK(rules.filter.at(0).starts_with(
        "block drop in quick on jk3f9azzzzzzzzn inet from ! 10.0.0.0/24 to any label \"jaild:k3f9a:network:"));
}

TEST_CASE("the longest path of an anchor is far below the 63 characters of pfctl(8), and is read back",
          "[freebsd][awkward]") {
    const auto network = network_anchor(instance(), NetworkId{INT64_MAX});
    CHECK(network == "jaild/k3f9a-n9223372036854775807");
    CHECK(jail_anchor(instance(), JailId{INT64_MAX}).size() == network.size());
    CHECK(network.size() <= 63);
    CHECK(pf::networks(instance(), "  " + network + "\n") == std::vector{NetworkId{INT64_MAX}});
}

TEST_CASE("an IPv6 address with a scope is no address of a parameter, a link or a rule", "[freebsd][awkward]") {
    CHECK_FALSE(parse_argument("ip6.addr=a:fe80::1%vnet0"));
    CHECK_FALSE(parse_views("view jid=5 ends=1 vnet0=1 up=1 mtu=1500 gateway=fe80::1%vnet0\n"));
    CHECK_FALSE(parse_views("view jid=5 ends=1 vnet0=1 up=1 mtu=1500 address=fe80::1%vnet0/64\n"));
    CHECK(value_of(parse_argument("ip6.addr=a:fe80::1")) ==
          Parameter{"ip6.addr", std::vector{value_of(IpAddress::parse("fe80::1"))}});
    // sin6_scope_id is the last four bytes, and the kernel's own place for the scope is bytes 2 and 3 of the address.
    const auto bytes = socket_address(value_of(IpAddress::parse("fe80::1")));
    CHECK(bytes == "\x1c\x1c\0\0\0\0\0\0\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0"s);
}

TEST_CASE("an empty list is written as one, and nothing as nothing", "[freebsd][awkward]") {
    CHECK(encode({}).empty());
    CHECK(encode({{"ip6.addr", std::vector<IpAddress>{}}}) == std::vector{EncodedParameter{"ip6.addr\0"s, ""s}});
    CHECK(to_argument({"ip6.addr", std::vector<IpAddress>{}}) == "ip6.addr=a:");
    CHECK(join({}).empty());
    CHECK(rctl::change({}, {}).add.empty());
    CHECK(rctl::parse_rules(",,").empty());
    CHECK(pf::anchor_text({}) == "");
    CHECK(value_of(parse_views("")).empty());
}
