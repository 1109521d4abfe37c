#include "core/kernel/freebsd/aliases.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/kernel/alias_file.h"
#include "core/kernel/freebsd/system/addresses.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::freebsd::aliases {
namespace {

constexpr std::chrono::milliseconds kPoll{20};
/// Beside a second for each probe: the random delay before the first, and a machine that is busy.
constexpr std::chrono::seconds kSlack{2};

/// Another one after each start of the host: kern.boot_id, random(4).
Result<std::string> boot() {
    const auto bytes = sysctl::bytes("kern.boot_id");
    if (!bytes) return std::unexpected(bytes.error());
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes->value_or("")) {
        text += digits[static_cast<unsigned char>(byte) >> 4U];
        text += digits[static_cast<unsigned char>(byte) & 0xfU];
    }
    return text;
}

struct Known {
    std::string boot;
    std::vector<Alias> aliases;

    [[nodiscard]] bool holds(const Alias& alias) const { return std::ranges::find(aliases, alias) != aliases.end(); }
    [[nodiscard]] bool holds_address(const IpAddress& address) const {
        return std::ranges::any_of(aliases, [&](const Alias& one) { return one.address.address == address; });
    }
};

Result<Known> known(const Places& places, JailId jail) {
    auto now = boot();
    if (!now) return std::unexpected(now.error());
    auto aliases = read_aliases(places.jail(jail), *now);
    if (!aliases) return std::unexpected(aliases.error());
    return Known{.boot = *std::move(now), .aliases = *std::move(aliases)};
}

bool has(const Interface& interface, const Prefix& prefix) {
    return std::ranges::find(interface.addresses, prefix) != interface.addresses.end();
}

/// Where the host has the address, whatever its prefix length.
const Interface* holder(const std::vector<Interface>& all, const IpAddress& address) {
    const auto found = std::ranges::find_if(all, [&](const Interface& one) {
        return std::ranges::any_of(one.addresses, [&](const Prefix& prefix) { return prefix.address == address; });
    });
    return found == all.end() ? nullptr : &*found;
}

Error in_use(const Alias& alias, const std::string& interface, Errc code) {
    return {.code = code,
            .op = "SIOCAIFADDR",
            .detail = alias.address.address.to_string() + " is an address of this host already, on " + interface,
            .reason = "address_in_use",
            .remedy = "give another address, or take it away there: ifconfig " + interface + " " +
                      (alias.address.address.family == Family::ipv4 ? "inet " : "inet6 ") +
                      alias.address.address.to_string() + " -alias"};
}

Error not_ready(const Alias& alias) {
    return {.code = Errc::kernel,
            .op = "SIOCAIFADDR_IN6",
            .detail = alias.interface + " does not make " + alias.address.address.to_string() + " ready",
            .reason = "address_not_ready",
            .remedy = "ifconfig " + alias.interface + " inet6 -ifdisabled up"};
}

Error taken_on_link(const Alias& alias) {
    return {.code = Errc::conflict,
            .op = "SIOCAIFADDR_IN6",
            .detail = "another machine on the link of " + alias.interface + " has " + alias.address.address.to_string(),
            .reason = "address_in_use",
            .remedy = "give another address"};
}

}  // namespace

Result<std::vector<ObservedAlias>> list(const Places& places, JailId jail) {
    const auto given = known(places, jail);
    if (!given) return std::unexpected(given.error());
    std::vector<ObservedAlias> listed;
    if (given->aliases.empty()) return listed;
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    for (const auto& alias : given->aliases) {
        const auto* interface = named(*all, alias.interface);
        listed.push_back({.alias = alias, .present = interface != nullptr && has(*interface, alias.address)});
    }
    return listed;
}

Result<void> ensure(const Places& places, JailId jail, const Alias& alias) {
    auto given = known(places, jail);
    if (!given) return std::unexpected(given.error());
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* interface = named(*all, alias.interface);
    if (interface == nullptr) return std::unexpected(interface_not_found(alias.interface, ""));
    const auto* there = holder(*all, alias.address.address);
    if (there != nullptr && !given->holds_address(alias.address.address))
        return std::unexpected(in_use(alias, there->name, Errc::busy));
    if (!given->holds(alias)) {
        given->aliases.push_back(alias);
        if (auto written = write_aliases(places.jail(jail), given->boot, given->aliases); !written) return written;
    }
    if (has(*interface, alias.address)) return {};
    if (there != nullptr)  // with another prefix length
        if (auto removed = remove_address(there->name, alias.address.address); !removed) return removed;
    return add_address(alias.interface, alias.address);
}

Result<void> remove(const Places& places, JailId jail, const Alias& alias) {
    auto given = known(places, jail);
    if (!given) return std::unexpected(given.error());
    if (!given->holds(alias)) return {};
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* interface = named(*all, alias.interface);
    if (interface != nullptr && has(*interface, alias.address))
        if (auto removed = remove_address(alias.interface, alias.address.address); !removed) return removed;
    std::erase(given->aliases, alias);
    return write_aliases(places.jail(jail), given->boot, given->aliases);
}

Result<void> check(const Places& places, const Alias& alias, const std::vector<JailId>& jails) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    if (named(*all, alias.interface) == nullptr) return std::unexpected(interface_not_found(alias.interface, ""));
    const auto* there = holder(*all, alias.address.address);
    if (there == nullptr) return {};
    for (const JailId jail : jails) {
        const auto given = known(places, jail);
        if (!given) return std::unexpected(given.error());
        if (given->holds_address(alias.address.address)) return {};
    }
    return std::unexpected(in_use(alias, there->name, Errc::conflict));
}

Result<void> wait(const Places& places, JailId jail, const Alias& alias) {
    if (alias.address.address.family == Family::ipv4) return {};
    const auto probes = sysctl::number("net.inet6.ip6.dad_count");
    if (!probes) return std::unexpected(probes.error());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(probes->value_or(1)) + kSlack;
    for (;;) {
        const auto now = readiness(alias.interface, alias.address.address);
        if (!now) return std::unexpected(now.error());
        if (*now == Readiness::ready) return {};
        const bool duplicated = *now == Readiness::duplicated;
        if (!duplicated && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(kPoll);
            continue;
        }
        if (auto removed = remove(places, jail, alias); !removed) return removed;
        return std::unexpected(duplicated ? taken_on_link(alias) : not_ready(alias));
    }
}

}  // namespace jaild::kernel::freebsd::aliases
