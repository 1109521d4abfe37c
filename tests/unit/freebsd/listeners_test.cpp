#include "core/kernel/freebsd/pure/listeners.h"

#include "tests/results.h"

namespace jaild::test::listeners_test {

using namespace jaild;
using namespace jaild::kernel::freebsd;
using jaild::test::value_of;

namespace {

constexpr const char* kSockets =
    "root     sshd         587 3   tcp6   *:22                  *:*\n"
    "root     my daemon    600 4   tcp4   192.0.2.1:80          *:*\n"
    "root     resolver     601 4   tcp4   127.0.0.1:53          *:*\n"
    "root     resolver     601 5   tcp6   ::1:53                *:*\n"
    "root     ntpd         602 5   udp6   fe80::1%em0:123       *:*\n"
    "root     both         603 5   tcp46  *:8080                *:*\n"
    "?        ?            ?   ?   tcp4   *:9000                *:*\n";

std::optional<std::string> who(model::Protocol protocol, std::uint16_t first, std::uint16_t last,
                               const std::optional<std::string>& address = std::nullopt) {
    model::Publish publish{.host_port = {first, last}, .jail_port = {first, last}, .protocol = protocol};
    if (address) publish.host_address = value_of(IpAddress::parse(*address));
    return listener(kSockets, publish);
}

}  // namespace

TEST_CASE("whose socket has a port of the host is told by its program and process", "[freebsd][pf]") {
    using enum model::Protocol;
    CHECK(who(tcp, 22, 22) == "sshd (pid 587)");
    CHECK(who(tcp, 20, 25) == "sshd (pid 587)");
    CHECK(who(tcp, 80, 80) == "my daemon (pid 600)");
    CHECK(who(udp, 123, 123) == "ntpd (pid 602)");
    CHECK_FALSE(who(udp, 22, 22));
    CHECK_FALSE(who(tcp, 23, 79));
    CHECK_FALSE(who(tcp, 53, 53));               // of loopback addresses
    CHECK(who(tcp, 9000, 9000) == "? (pid ?)");  // a socket that no process holds open any more
}

TEST_CASE("a port of one address is in use only by sockets of it or of all of its family", "[freebsd][pf]") {
    using enum model::Protocol;
    CHECK(who(tcp, 80, 80, "192.0.2.1"));
    CHECK_FALSE(who(tcp, 80, 80, "192.0.2.2"));
    CHECK_FALSE(who(tcp, 80, 80, "2001:db8::1"));
    CHECK(who(tcp, 22, 22, "2001:db8::1"));
    CHECK_FALSE(who(tcp, 22, 22, "192.0.2.1"));
    CHECK(who(tcp, 8080, 8080, "192.0.2.1"));
    CHECK(who(tcp, 8080, 8080, "2001:db8::1"));
}

}  // namespace jaild::test::listeners_test
