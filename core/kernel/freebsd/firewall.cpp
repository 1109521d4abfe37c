#include "core/kernel/freebsd/firewall.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/kernel/freebsd/pfctl.h"
#include "core/kernel/names.h"

namespace jaild::kernel {

namespace {

namespace pf = freebsd::pf;
namespace pfctl = freebsd::pfctl;

/// Less than the time between two looks at all rules.
constexpr std::chrono::seconds kAvailableFor{10};

Error unavailable(std::string detail, std::string remedy) {
    return {.code = Errc::unsupported,
            .op = "pf",
            .detail = std::move(detail),
            .reason = "firewall_unavailable",
            .remedy = std::move(remedy)};
}

std::string joined(const std::vector<std::string>& lines, std::string_view separator) {
    std::string text;
    for (const auto& line : lines) {
        if (!text.empty()) text += separator;
        text += line;
    }
    return text;
}

/// An address that pf(4) can translate to: "(name:0)" passes over IPv6 link-local ones.
bool counts(const sockaddr& address) {
    if (address.sa_family != AF_INET6) return address.sa_family == AF_INET;
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    return !IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr);
}

std::string fingerprint(const pfctl::Shown& shown) {
    return shown.nat + "\n" + shown.filter;
}

}  // namespace

Result<std::vector<std::string>> FreeBsdFirewall::client_interfaces() const {
    auto all = addressed();
    if (!all) return std::unexpected(all.error());
    std::vector<std::string> names;
    for (const auto& one : *all) names.push_back(one.name);
    return names;
}

Result<std::vector<pf::Uplink>> FreeBsdFirewall::uplinks() const {
    auto all = addressed();
    if (!all) return std::unexpected(all.error());
    std::erase_if(*all, [this](const pf::Uplink& one) { return parse_bridge_name(instance_, one.name).has_value(); });
    return all;
}

Result<std::vector<pf::Uplink>> FreeBsdFirewall::addressed() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return std::unexpected(Error::from_errno("getifaddrs", errno));
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> addresses(first, &::freeifaddrs);
    std::map<std::string, pf::Uplink> found;  // by name: the kernel's order changes when an interface comes back
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if ((one->ifa_flags & IFF_LOOPBACK) != 0 || one->ifa_addr == nullptr || !counts(*one->ifa_addr)) continue;
        const std::string name = one->ifa_name;
        auto& uplink = found[name];
        uplink.name = name;
        (one->ifa_addr->sa_family == AF_INET ? uplink.ipv4 : uplink.ipv6) = true;
    }
    std::vector<pf::Uplink> all;
    for (const auto& [name, uplink] : found) all.push_back(uplink);
    return all;
}

Result<void> FreeBsdFirewall::available() {
    const std::lock_guard lock(available_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (seen_available_ && now - *seen_available_ < kAvailableFor) return {};
    auto found = check_main_ruleset();
    seen_available_ = found ? std::optional(now) : std::nullopt;
    return found;
}

Result<void> FreeBsdFirewall::check_main_ruleset() {
    if (!pfctl::is_present())
        return std::unexpected(unavailable("pf(4) is not loaded: no NAT, and nothing keeps others out of the networks",
                                           "write /etc/pf.conf with nat-anchor \"jaild/*\", rdr-anchor \"jaild/*\" and "
                                           "anchor \"jaild/*\", each on a line of its own; then: sysrc pf_enable=YES "
                                           "&& service pf start"));
    const auto info = pfctl::call({"-s", "info"});
    if (!info) return std::unexpected(info.error());
    if (!pf::is_enabled(*info))
        return std::unexpected(
            unavailable("pf(4) is loaded but not enabled", "sysrc pf_enable=YES && service pf start"));
    const auto main = pfctl::show({});
    if (!main) return std::unexpected(main.error());
    const auto missing = pf::missing_lines(main->nat, main->filter);
    if (missing.empty()) return {};
    return std::unexpected(unavailable(
        "the main ruleset of pf(4) does not evaluate jaild's anchors: " + joined(missing, ", "),
        "add to /etc/pf.conf, each on a line of its own, translation (nat-anchor, rdr-anchor) before filter rules: " +
            joined(missing, " | ") + "; then: service pf reload"));
}

Result<std::vector<ObservedRules>> FreeBsdFirewall::list(const std::vector<model::Network>& desired) {
    if (!pfctl::is_present()) return std::vector<ObservedRules>{};
    const std::lock_guard lock(mutex_);
    const auto anchors = pfctl::call({"-v", "-s", "Anchors"});
    if (!anchors) return std::unexpected(anchors.error());
    const auto links = uplinks();
    if (!links) return std::unexpected(links.error());
    std::vector<ObservedRules> all;
    for (const NetworkId id : pf::networks(instance_, *anchors)) {
        ObservedRules observed{.network = id};
        const auto network = std::ranges::find(desired, id, &model::Network::id);
        if (network != desired.end()) {
            const auto shown = pfctl::show(network_anchor(instance_, id));
            if (!shown) return std::unexpected(shown.error());
            const auto loaded = loaded_.find(id);
            observed.complete = pf::shows(pf::network_rules(instance_, *network, *links), shown->nat, shown->filter) &&
                                (loaded == loaded_.end() || loaded->second == fingerprint(*shown));
        }
        all.push_back(observed);
    }
    return all;
}

Result<void> FreeBsdFirewall::apply(const model::Network& network) {
    const std::lock_guard lock(mutex_);
    const auto links = uplinks();
    if (!links) return std::unexpected(links.error());
    const auto anchor = network_anchor(instance_, network.id);
    auto loaded = pfctl::load(anchor, pf::anchor_text(pf::network_rules(instance_, network, *links)));
    if (!loaded) return loaded;
    loaded_.erase(network.id);
    if (const auto shown = pfctl::show(anchor)) loaded_[network.id] = fingerprint(*shown);
    return {};
}

Result<void> FreeBsdFirewall::remove(NetworkId network) {
    const std::lock_guard lock(mutex_);
    loaded_.erase(network);
    if (!pfctl::is_present()) return {};
    const auto anchors = pfctl::call({"-v", "-s", "Anchors"});
    if (!anchors) return std::unexpected(anchors.error());
    const auto present = pf::networks(instance_, *anchors);
    if (std::ranges::find(present, network) == present.end()) return {};
    return pfctl::flush(network_anchor(instance_, network));
}

}  // namespace jaild::kernel
