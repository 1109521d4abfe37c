#include "core/kernel/freebsd/system/interfaces.h"

#include <sys/types.h>
// after <sys/types.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_mib.h>
#include <net/if_types.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/kernel/freebsd/system/neighbour_discovery.h"
#include "core/kernel/freebsd/system/request.h"

namespace jaild::kernel::freebsd {
namespace {

/// Room for any mark of ours and a foreign one that is a bit longer; a description beyond is none of ours.
constexpr std::size_t kDescriptionLimit = 256;

/// An ifreq about `name`, given to `fill` and then to the kernel.
template <class Fill>
Result<ifreq> ask(std::string_view op, unsigned long code, const std::string& name, const Fill& fill) {
    ifreq asked{};
    if (auto put = put_name(asked.ifr_name, name); !put) return std::unexpected(put.error());
    fill(asked);
    if (auto done = request(AF_LOCAL, op, code, &asked, name); !done) return std::unexpected(done.error());
    return asked;
}

template <class Fill>
Result<void> set(std::string_view op, unsigned long code, const std::string& name, const Fill& fill) {
    const auto done = ask(op, code, name, fill);
    if (!done) return std::unexpected(done.error());
    return {};
}

Result<std::array<unsigned char, ETHER_ADDR_LEN>> parse_mac(const std::string& text) {
    std::array<unsigned char, ETHER_ADDR_LEN> mac{};
    int used = 0;
    const int count = std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
                                  &mac[3], &mac[4], &mac[5], &used);
    if (count != ETHER_ADDR_LEN || static_cast<std::size_t>(used) != text.size())
        return std::unexpected(Error::invalid("invalid_mac", {}, "no MAC address: " + text));
    return mac;
}

/// The flags in two halves, as struct ifreq has them since FreeBSD 5.
unsigned flags_of(const ifreq& asked) {
    return (static_cast<unsigned>(static_cast<unsigned short>(asked.ifr_flagshigh)) << 16U) |
           static_cast<unsigned short>(asked.ifr_flags);
}

Result<void> ask_neighbour_discovery(const std::string& name, in6_ndireq& asked) {
    if (auto put = put_name(asked.ifname, name); !put) return put;
    return request(AF_INET6, "SIOCGIFINFO_IN6", SIOCGIFINFO_IN6, &asked, name);
}

/// The kernel was built without IPv6.
bool no_ipv6(const Error& error) {
    return error.sys == EAFNOSUPPORT || error.sys == EPROTONOSUPPORT || error.sys == EPFNOSUPPORT;
}

}  // namespace

std::string driver(const Interface& interface) {
    const std::array<int, 6> name{CTL_NET, PF_LINK, NETLINK_GENERIC, IFMIB_IFDATA, interface.index, IFDATA_DRIVERNAME};
    std::array<char, 64> text{};
    std::size_t length = text.size() - 1;
    if (::sysctl(name.data(), name.size(), text.data(), &length, nullptr, 0) != 0) return {};
    return text.data();
}

std::string description(const std::string& name) {
    std::array<char, kDescriptionLimit> text{};
    const auto asked = ask("SIOCGIFDESCR", SIOCGIFDESCR, name, [&](ifreq& fields) {
        fields.ifr_buffer.buffer = text.data();
        fields.ifr_buffer.length = text.size() - 1;
    });
    // ENOMSG: it has none. A longer one than the buffer comes back as a null pointer (netintro(4)).
    if (!asked || asked->ifr_buffer.buffer == nullptr) return {};
    return text.data();
}

Result<std::string> create(const std::string& driver) {
    const auto made = ask("SIOCIFCREATE2", SIOCIFCREATE2, driver, [](ifreq&) {});
    if (!made) return std::unexpected(made.error());
    return std::string(made->ifr_name);
}

Result<void> destroy(const std::string& name) {
    auto gone = set("SIOCIFDESTROY", SIOCIFDESTROY, name, [](ifreq&) {});
    if (!gone && gone.error().code == Errc::not_found) return {};
    return gone;
}

Result<void> rename(const std::string& name, const std::string& new_name) {
    std::array<char, IFNAMSIZ> text{};
    if (auto put = put_name(text.data(), new_name); !put) return put;
    return set("SIOCSIFNAME", SIOCSIFNAME, name, [&](ifreq& fields) { fields.ifr_data = text.data(); });
}

Result<void> describe(const std::string& name, const std::string& text) {
    std::string copy = text;
    return set("SIOCSIFDESCR", SIOCSIFDESCR, name, [&](ifreq& fields) {
        fields.ifr_buffer.buffer = copy.data();
        fields.ifr_buffer.length = copy.size() + 1;
    });
}

Result<void> set_mac(const std::string& name, const std::string& mac) {
    const auto bytes = parse_mac(mac);
    if (!bytes) return std::unexpected(bytes.error());
    return set("SIOCSIFLLADDR", SIOCSIFLLADDR, name, [&](ifreq& fields) {
        fields.ifr_addr.sa_len = ETHER_ADDR_LEN;
        fields.ifr_addr.sa_family = AF_LINK;
        std::memcpy(fields.ifr_addr.sa_data, bytes->data(), bytes->size());
    });
}

Result<void> set_mtu(const std::string& name, unsigned mtu) {
    return set("SIOCSIFMTU", SIOCSIFMTU, name, [&](ifreq& fields) { fields.ifr_mtu = static_cast<int>(mtu); });
}

Result<void> raise(const std::string& name) {
    const auto now = ask("SIOCGIFFLAGS", SIOCGIFFLAGS, name, [](ifreq&) {});
    if (!now) return std::unexpected(now.error());
    const unsigned flags = flags_of(*now) | IFF_UP;
    return set("SIOCSIFFLAGS", SIOCSIFFLAGS, name, [&](ifreq& fields) {
        fields.ifr_flags = static_cast<short>(flags & 0xffffU);
        fields.ifr_flagshigh = static_cast<short>(flags >> 16U);
    });
}

Result<void> reclaim(const std::string& name, int jid) {
    return set("SIOCSIFRVNET", SIOCSIFRVNET, name, [&](ifreq& fields) { fields.ifr_jid = jid; });
}

Result<void> set_ipv6(const std::string& name, Ipv6 state, Learns learns) {
    in6_ndireq asked{};
    const auto got = ask_neighbour_discovery(name, asked);
    if (!got) {
        const bool none = no_ipv6(got.error());
        if (none && state == Ipv6::off) return {};
        if (!none) return got;
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "SIOCGIFINFO_IN6",
                                     .sys = got.error().sys,
                                     .detail = "this kernel has no IPv6 for " + name,
                                     .reason = "ipv6_unavailable"});
    }
    constexpr u_int32_t kOurs = ND6_IFF_ACCEPT_RTADV | ND6_IFF_NO_RADR | ND6_IFF_IFDISABLED;
    u_int32_t wanted = asked.ndi.flags & ~kOurs;
    if (state == Ipv6::off)
        wanted |= ND6_IFF_IFDISABLED;
    else if (learns == Learns::nothing)
        wanted |= ND6_IFF_NO_DAD;
    else  // the link-local address is what its routers know it by
        wanted = (wanted & ~u_int32_t{ND6_IFF_NO_DAD}) | ND6_IFF_ACCEPT_RTADV | ND6_IFF_AUTO_LINKLOCAL;
    if (learns == Learns::addresses) wanted |= ND6_IFF_NO_RADR;
    if (wanted == asked.ndi.flags) return {};
    asked.ndi.flags = wanted;
    return request(AF_INET6, "SIOCSIFINFO_IN6", SIOCSIFINFO_IN6, &asked, name);
}

Result<bool> takes_advertisements(const std::string& name) {
    in6_ndireq asked{};
    const auto got = ask_neighbour_discovery(name, asked);
    if (!got && (no_ipv6(got.error()) || got.error().code == Errc::not_found)) return false;
    if (!got) return std::unexpected(got.error());
    return (asked.ndi.flags & ND6_IFF_ACCEPT_RTADV) != 0;
}

}  // namespace jaild::kernel::freebsd
