#include "core/kernel/freebsd/pf_tables.h"

// The order matters: net/pfvar.h takes the others for granted.
// clang-format off
#include <sys/param.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <net/if.h>
#include <net/pfvar.h>
// clang-format on
#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/unique_fd.h"

namespace jaild::kernel::freebsd::pf_tables {
namespace {

Result<UniqueFd> open_pf() {
    UniqueFd fd(::open("/dev/pf", O_RDWR | O_CLOEXEC));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, "/dev/pf"));
    return fd;
}

Result<pfioc_table> request(const std::string& anchor, const std::string& table) {
    pfioc_table made{};
    auto& which = made.pfrio_table;
    if (anchor.size() >= sizeof which.pfrt_anchor || table.size() >= sizeof which.pfrt_name)
        return std::unexpected(Error::from_errno("pf_table", ENAMETOOLONG, anchor + ": " + table));
    std::memcpy(which.pfrt_anchor, anchor.data(), anchor.size());
    std::memcpy(which.pfrt_name, table.data(), table.size());
    made.pfrio_esize = sizeof(pfr_addr);
    return made;
}

pfr_addr to_pf(const Prefix& prefix) {
    pfr_addr made{};
    const bool four = prefix.address.family == Family::ipv4;
    made.pfra_af = four ? AF_INET : AF_INET6;
    made.pfra_net = static_cast<std::uint8_t>(prefix.length);
    std::memcpy(&made.pfra_u, prefix.address.bytes.data(), four ? 4 : 16);
    return made;
}

Prefix from_pf(const pfr_addr& address) {
    Prefix made;
    const bool four = address.pfra_af == AF_INET;
    made.address.family = four ? Family::ipv4 : Family::ipv6;
    made.length = address.pfra_net;
    std::memcpy(made.address.bytes.data(), &address.pfra_u, four ? 4 : 16);
    return made;
}

}  // namespace

Result<bool> replace(const std::string& anchor, const std::string& table, const std::vector<Prefix>& members) {
    const auto pf = open_pf();
    if (!pf) return std::unexpected(pf.error());
    auto asked = request(anchor, table);
    if (!asked) return std::unexpected(asked.error());
    std::vector<pfr_addr> addresses;
    for (const auto& member : members) addresses.push_back(to_pf(member));
    // In and out: with no room for what was deleted, none of it is told.
    asked->pfrio_buffer = addresses.data();
    asked->pfrio_size = static_cast<int>(addresses.size());
    if (::ioctl(pf->get(), DIOCRSETADDRS, &*asked) == 0) return true;
    if (errno == ESRCH || errno == ENOENT) return false;
    return std::unexpected(Error::from_errno("DIOCRSETADDRS", errno, anchor + ": " + table));
}

Result<std::vector<Prefix>> members(const std::string& anchor, const std::string& table) {
    const auto pf = open_pf();
    if (!pf) return std::unexpected(pf.error());
    auto asked = request(anchor, table);
    if (!asked) return std::unexpected(asked.error());
    std::vector<pfr_addr> addresses;
    // With too little room the kernel says how much it takes.
    for (;;) {
        asked->pfrio_buffer = addresses.data();
        asked->pfrio_size = static_cast<int>(addresses.size());
        if (::ioctl(pf->get(), DIOCRGETADDRS, &*asked) != 0)
            return std::unexpected(Error::from_errno("DIOCRGETADDRS", errno, anchor + ": " + table));
        const auto present = static_cast<std::size_t>(std::max(asked->pfrio_size, 0));
        const bool whole = present <= addresses.size();
        addresses.resize(present);
        if (whole) break;
    }
    std::vector<Prefix> all;
    for (const auto& address : addresses) all.push_back(from_pf(address));
    std::ranges::sort(all);
    return all;
}

}  // namespace jaild::kernel::freebsd::pf_tables
