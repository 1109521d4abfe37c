#include "core/kernel/freebsd/links.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "core/kernel/freebsd/aliases.h"
#include "core/kernel/freebsd/bridge.h"
#include "core/kernel/freebsd/host_interface.h"
#include "core/kernel/freebsd/pair.h"
#include "core/kernel/freebsd/system/advertised_routers.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/routes.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel {
namespace {

namespace sysctl = freebsd::sysctl;

const char* forwarding_value(Family family) {
    return family == Family::ipv4 ? "net.inet.ip.forwarding" : "net.inet6.ip6.forwarding";
}

/// fe80::/10, ff00::/8, 224.0.0.0/4
bool is_local_matter(const IpAddress& address) {
    if (address.family == Family::ipv4) return (address.bytes[0] & 0xf0U) == 0xe0;
    return address.bytes[0] == 0xff || (address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0U) == 0x80);
}

/// Errc::unsupported when IPv6 forwarding would take the host's own default route away.
Result<void> check_own_routes() {
    const auto lost = freebsd::forwarding_loses_router();
    if (!lost) return std::unexpected(lost.error());
    if (!*lost) return {};
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "enable_forwarding",
              .detail = "with IPv6 forwarding on, this host would lose the default route that it has by router "
                        "advertisement",
              .reason = "forwarding_unsafe",
              .remedy = freebsd::kKeepRouterRemedy});
}

}  // namespace

Result<std::vector<ObservedLink>> FreeBsdLinks::list(Scope scope) {
    return freebsd::pair::list(places_, inside_, scope);
}

Result<void> FreeBsdLinks::ensure(const LinkParameters& parameters) {
    return freebsd::pair::ensure(places_, inside_, parameters);
}

Result<void> FreeBsdLinks::destroy(LinkId id) {
    return freebsd::pair::destroy(places_, inside_, id);
}

Result<std::vector<ObservedAlias>> FreeBsdLinks::aliases(JailId jail) {
    return freebsd::aliases::list(places_, jail);
}

Result<void> FreeBsdLinks::ensure_alias(JailId jail, const Alias& alias) {
    {
        const std::lock_guard lock(alias_mutex_);
        if (auto given = freebsd::aliases::ensure(places_, jail, alias); !given) return given;
    }
    return freebsd::aliases::wait(places_, jail, alias);
}

Result<void> FreeBsdLinks::remove_alias(JailId jail, const Alias& alias) {
    const std::lock_guard lock(alias_mutex_);
    return freebsd::aliases::remove(places_, jail, alias);
}

Result<void> FreeBsdLinks::check_alias(const Alias& alias, const std::vector<JailId>& jails) {
    return freebsd::aliases::check(places_, alias, jails);
}

Result<std::vector<ObservedBridge>> FreeBsdLinks::bridges() {
    return freebsd::bridge::list(places_.instance);
}

Result<void> FreeBsdLinks::ensure_bridge(const model::Network& network) {
    const std::lock_guard lock(mutex_);
    return freebsd::bridge::ensure(places_.instance, network);
}

Result<void> FreeBsdLinks::remove_bridge(NetworkId network) {
    const std::lock_guard lock(mutex_);
    return freebsd::bridge::remove(places_.instance, network);
}

Result<std::vector<Prefix>> FreeBsdLinks::used_prefixes() {
    const auto all = freebsd::interfaces();
    if (!all) return std::unexpected(all.error());
    const auto routes = freebsd::routes();
    if (!routes) return std::unexpected(routes.error());
    std::set<Prefix> used;
    for (const auto& interface : *all)
        for (const auto& prefix : interface.addresses)
            if (!is_local_matter(prefix.address)) used.insert(prefix.network());
    for (const auto& route : *routes) {
        const bool chosen = route.destination.length != 0 && !is_local_matter(route.destination.address);
        if (chosen) used.insert(route.destination.network());
    }
    return std::vector<Prefix>(used.begin(), used.end());
}

Result<void> FreeBsdLinks::check(const model::Network& network) {
    const auto& instance = places_.instance;
    return check_network(network, own_bridge_name(instance, network),
                         [&](const std::string& name) { return freebsd::host_interface(instance, name); });
}

Result<std::vector<Prefix>> FreeBsdLinks::addresses(const std::string& interface) {
    const auto all = freebsd::interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* found = freebsd::named(*all, interface);
    return found == nullptr ? std::vector<Prefix>{} : found->addresses;
}

Result<void> FreeBsdLinks::check(const model::NetworkSpec& spec) {
    const auto asking = std::ranges::find(spec.interfaces, true, &model::InterfaceSpec::dhcp);
    if (asking == spec.interfaces.end() || ::access("/dev/bpf", F_OK) == 0) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "links",
                                 .detail = "this kernel has no bpf(4), by which dhclient(8) speaks",
                                 .reason = "bpf_missing",
                                 .field = fmt::format("/network/interfaces/{}/ipv4", asking - spec.interfaces.begin()),
                                 .remedy = "a kernel with \"device bpf\", as GENERIC has it"});
}

Result<bool> FreeBsdLinks::forwarding(Family family) {
    const auto value = sysctl::number(forwarding_value(family));
    if (!value) return std::unexpected(value.error());
    return value->value_or(0) != 0;  // no such value: a kernel without that family
}

Result<void> FreeBsdLinks::enable_forwarding(Family family) {
    const auto on = forwarding(family);
    if (!on) return std::unexpected(on.error());
    if (*on) return {};
    if (family == Family::ipv6)
        if (auto safe = check_own_routes(); !safe) return safe;
    return sysctl::set(forwarding_value(family), 1);
}

}  // namespace jaild::kernel
