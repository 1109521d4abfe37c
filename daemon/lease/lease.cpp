#include "daemon/lease/lease.h"

#include <fcntl.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "core/base/ascii.h"
#include "core/base/files.h"
#include "core/kernel/linux/configure.h"
#include "core/kernel/roots/etc_text.h"
#include "core/kernel/roots/place.h"

namespace jaild::lease {
namespace {

namespace rtnl = kernel::rtnl;

constexpr std::size_t kNameservers = 3;    // resolv.conf(5), MAXNS
constexpr std::size_t kDomainBytes = 253;  // RFC 1035 §2.3.4

std::string text_of(const std::function<const char*(const char*)>& variable, const char* name) {
    const char* text = variable(name);
    return text == nullptr ? std::string() : text;
}

/// Of one host, which others can reach: not 0/8, 127/8, and nothing from 224.0.0.0 on.
bool is_host(const IpAddress& address) {
    return address.family == Family::ipv4 && address.bytes[0] != 0 && address.bytes[0] != 127 && address.bytes[0] < 224;
}

/// Of letters, digits, hyphens and dots: nothing that could be more than a name in resolv.conf(5).
bool is_domain(std::string_view text) {
    return !text.empty() && text.size() <= kDomainBytes && text.front() != '-' && text.front() != '.' &&
           std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
}

/// The jail's root may have put anything there: nothing is followed.
Result<void> write_names(const std::filesystem::path& path, const Lease& lease) {
    if (path.empty() || lease.nameservers.empty()) return {};
    const auto root = files::open_directory(path);
    if (!root) return std::unexpected(root.error());
    const auto etc = files::open_beneath(root->get(), "etc", O_RDONLY | O_DIRECTORY);
    if (!etc) return std::unexpected(etc.error());
    std::vector<std::string> search;
    if (!lease.domain.empty()) search.push_back(lease.domain);
    return kernel::place::file(etc->get(), "resolv.conf", kernel::etc::resolv_conf(lease.nameservers, search), 0644);
}

}  // namespace

Result<Lease> read_lease(const std::function<const char*(const char*)>& variable) {
    const auto mask = text_of(variable, "mask");
    const auto address = Prefix::parse(text_of(variable, "ip") + "/" + (mask.empty() ? "32" : mask));
    if (!address) return std::unexpected(address.error());
    if (!is_host(address->address) || address->length == 0)
        return std::unexpected(Error::invalid("invalid_address", {}, "no address of a host: " + address->to_string()));
    Lease lease{.address = *address};
    std::istringstream routers(text_of(variable, "router"));
    for (std::string one; !lease.router && routers >> one;) {
        const auto router = IpAddress::parse(one);
        if (router && is_host(*router) && address->contains(*router)) lease.router = *router;
    }
    std::istringstream servers(text_of(variable, "dns"));
    for (std::string one; lease.nameservers.size() < kNameservers && servers >> one;) {
        const auto server = IpAddress::parse(one);
        if (server && is_host(*server)) lease.nameservers.push_back(*server);
    }
    if (const auto domain = text_of(variable, "domain"); is_domain(domain)) lease.domain = domain;
    return lease;
}

Result<void> apply_event(const std::string& event, const std::string& interface, const Use& use,
                         const std::function<const char*(const char*)>& variable) {
    const bool has = event == "bound" || event == "renew";
    if (!has && event != "deconfig") return {};
    const auto lease = has ? read_lease(variable) : Result<Lease>();
    if (!lease) return std::unexpected(lease.error());
    const auto index = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (index == 0) return std::unexpected(Error::from_errno("if_nametoindex", errno, interface));
    auto socket = kernel::nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const rtnl::Families families{Family::ipv4};
    std::vector<Prefix> addresses;
    std::vector<IpAddress> routers;
    if (has) addresses.push_back(lease->address);
    if (has && use.route && lease->router) routers.push_back(*lease->router);
    if (auto done = rtnl::set_addresses(*socket, index, addresses, families); !done) return done;
    if (auto done = rtnl::set_gateways(*socket, index, routers, families); !done) return done;
    return has ? write_names(use.root, *lease) : Result<void>{};
}

}  // namespace jaild::lease
