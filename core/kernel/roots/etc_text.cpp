#include "core/kernel/roots/etc_text.h"

#include <algorithm>
#include <sstream>

#include "core/model/jail_spec.h"

namespace jaild::kernel::etc {

namespace {

constexpr const char* kNotice = "# Written by jaild at each start of this jail.\n";

bool is_loopback(const IpAddress& address) {
    if (address.family == Family::ipv4) return address.bytes[0] == 127;
    static const IpAddress one = [] {
        IpAddress loopback{.family = Family::ipv6};
        loopback.bytes[15] = 1;
        return loopback;
    }();
    return address == one;
}

bool is_plain(const std::string& text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

}  // namespace

std::string shared_resolv_conf(const std::string& host, const std::vector<IpAddress>& nameservers,
                               const std::vector<std::string>& search) {
    if (nameservers.empty() && search.empty()) return host;
    auto text = resolv_conf(nameservers, search);
    std::istringstream lines(host);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string keyword;
        words >> keyword;
        const bool replaced = (keyword == "nameserver" && !nameservers.empty()) ||
                              ((keyword == "search" || keyword == "domain") && !search.empty());
        if (!replaced) text.append(line).append("\n");
    }
    return text;
}

std::string resolv_conf(const std::vector<IpAddress>& nameservers, const std::vector<std::string>& search) {
    std::ostringstream text;
    text << kNotice;
    for (const IpAddress& server : nameservers) text << "nameserver " << server.to_string() << '\n';
    if (!search.empty()) {
        text << "search";
        for (const std::string& domain : search) text << ' ' << domain;
        text << '\n';
    }
    return text.str();
}

std::vector<IpAddress> reachable_nameservers(const std::string& resolv_conf) {
    std::vector<IpAddress> found;
    std::istringstream lines(resolv_conf);
    for (std::string line; std::getline(lines, line) && found.size() < model::SpecLimits::nameservers;) {
        std::istringstream words(line);
        std::string keyword;
        std::string value;
        if (!(words >> keyword >> value) || keyword != "nameserver") continue;
        const auto address = IpAddress::parse(value);  // one with a scope ("fe80::1%eth0") is the host's alone too
        if (address && !is_loopback(*address)) found.push_back(*address);
    }
    return found;
}

Result<void> check(const RootParameters& parameters) {
    if (!is_plain(parameters.hostname))
        return std::unexpected(Error::invalid("invalid_hostname", "/hostname", "a hostname has no spaces or controls"));
    if (!std::ranges::all_of(parameters.search, is_plain))
        return std::unexpected(
            Error::invalid("invalid_domain", "/network/search", "a search domain has no spaces or controls"));
    for (const auto& neighbour : parameters.neighbours)
        if (!std::ranges::all_of(neighbour.names, is_plain))
            return std::unexpected(Error::invalid("invalid_name", "", "a name of a jail has no spaces or controls"));
    return {};
}

}  // namespace jaild::kernel::etc
