#include "core/kernel/freebsd/pure/dhclient_texts.h"

#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel::freebsd;
using namespace jaild::test;

namespace {

LinkParameters link() {
    LinkParameters parameters;
    parameters.id = {.jail = JailId{12}, .index = 3};
    parameters.name = "lan0";
    parameters.dhcp = Learns::addresses_and_route;
    parameters.takes_names = true;
    return parameters;
}

}  // namespace

TEST_CASE("a jail's dhclient is told what to ask for, and whose it is", "[freebsd]") {
    const auto instance = value_of(InstanceId::parse("k3f9a"));
    auto parameters = link();
    auto client = dhcp_client(instance, parameters);
    CHECK(client.interface == "lan0");
    CHECK(client.mark == "JAILD_LINK=k3f9a-12-3");
    CHECK(client.configuration ==
          "timeout 30;\nretry 5;\nreboot 5;\ninitial-interval 2;\nbackoff-cutoff 10;\n"
          "ignore interface-mtu, host-name;\n");

    parameters.dhcp = Learns::addresses;
    parameters.takes_names = false;
    CHECK(dhcp_client(instance, parameters)
              .configuration.ends_with("ignore interface-mtu, host-name, routers, static-routes, classless-routes, "
                                       "domain-name-servers, domain-name, domain-search;\n"));
}

TEST_CASE("a DHCP client is known by a whole entry of its environment", "[freebsd]") {
    using namespace std::string_view_literals;
    constexpr auto kMark = "JAILD_LINK=k3f9a-12-3"sv;
    CHECK(has_mark("PATH=/sbin:/bin\0JAILD_LINK=k3f9a-12-3\0"sv, kMark));
    CHECK(has_mark("JAILD_LINK=k3f9a-12-3"sv, kMark));
    CHECK_FALSE(has_mark("JAILD_LINK=k3f9a-12-31\0"sv, kMark));
    CHECK_FALSE(has_mark("X=JAILD_LINK=k3f9a-12-3\0"sv, kMark));
    CHECK_FALSE(has_mark(""sv, kMark));
    CHECK(is_privileged_client("dhclient: vnet0 [priv]\0"sv));
    CHECK_FALSE(is_privileged_client("dhclient: vnet0\0"sv));
    CHECK_FALSE(is_privileged_client("dhclient: system.syslog\0"sv));
}
