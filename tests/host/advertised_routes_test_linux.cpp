#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/sysctl.h"
#include "tests/host/eventually.h"
#include "tests/host/link_fixture_linux.h"

namespace jaild::test {
namespace {

namespace netns = kernel::netns;
namespace sysctl = kernel::sysctl;

/// One router advertisement (RFC 4861 §4.2) to all nodes behind the cable, with the lifetime of a default router. The
/// kernel adds the checksum. Nothing comes of it while the sender has no link-local address yet.
Result<void> send_advertisement() {
    const UniqueFd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
    if (!socket) return std::unexpected(Error::from_errno("socket", errno));
    const int hops = 255;
    const int interface = static_cast<int>(::if_nametoindex("cable"));
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    nd_router_advert message{};
    message.nd_ra_type = ND_ROUTER_ADVERT;
    message.nd_ra_router_lifetime = htons(1800);
    sockaddr_in6 all{};
    all.sin6_family = AF_INET6;
    all.sin6_addr.s6_addr[0] = 0xff;
    all.sin6_addr.s6_addr[1] = 0x02;
    all.sin6_addr.s6_addr[15] = 0x01;
    all.sin6_scope_id = static_cast<unsigned>(interface);
    if (::sendto(socket.get(), &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&all), sizeof all) < 0)
        return std::unexpected(Error::from_errno("sendto", errno));
    return {};
}

std::string default_route(const LinkFixture& fixture) {
    return fixture.host.run_on_host({"ip", "-6", "route", "show", "default"});
}

TEST_CASE_METHOD(LinkFixture, "forwarding never takes away the default route that the host itself got by advertisement",
                 "[links][advertised]") {
    ip("-6 route delete default");
    value_of(sysctl::set("net/ipv6/conf/uplink/accept_ra", "1"));
    const auto outside = value_of(netns::open(host.outside_name()));
    REQUIRE(outside);
    REQUIRE(eventually([&] {
        static_cast<void>(netns::run_in(outside->get(), send_advertisement));
        return default_route(*this).contains("proto ra");
    }));

    const auto error = error_of(links.enable_forwarding(Family::ipv6));
    CHECK(error.code == Errc::unsupported);
    CHECK(error.name() == "forwarding_unsafe");
    CHECK(error.detail.contains("uplink"));
    CHECK_FALSE(value_of(links.forwarding(Family::ipv6)));
    CHECK(default_route(*this).contains("proto ra"));
    value_of(links.enable_forwarding(Family::ipv4));

    host.run_on_host({"sh", "-c", error.remedy});
    value_of(links.enable_forwarding(Family::ipv6));
    CHECK(value_of(links.forwarding(Family::ipv6)));
    CHECK(default_route(*this).contains("proto ra"));
}

}  // namespace
}  // namespace jaild::test
