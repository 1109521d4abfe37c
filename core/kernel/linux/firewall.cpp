#include "core/kernel/linux/firewall.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "core/kernel/linux/bridge_filter.h"
#include "core/kernel/linux/nft_rules.h"
#include "core/kernel/linux/nftables.h"
#include "core/kernel/linux/sockets.h"
#include "core/kernel/names.h"

namespace jaild::kernel {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

struct ListedChain {
    json chain;
    std::vector<json> rules;
};

/// Our table as the kernel has it: chains by name.
struct Listing {
    bool table = false;
    bool flags = false;  ///< "dormant" is the one that an admin sets; we set none. Then the chains may be unknown
    std::map<std::string, ListedChain> chains;
};

void add(Listing& listing, const json& entry) {
    if (!entry.is_object()) return;
    if (const auto table = entry.find("table"); table != entry.end() && table->is_object()) {
        listing.flags = table->contains("flags");
    }
    if (const auto chain = entry.find("chain"); chain != entry.end() && chain->is_object()) {
        listing.chains[text(*chain, "name")].chain = *chain;
    }
    if (const auto rule = entry.find("rule"); rule != entry.end() && rule->is_object()) {
        listing.chains[text(*rule, "chain")].rules.push_back(*rule);
    }
}

Result<Listing> read_table(const std::string& name) {
    // Not in JSON: nft 1.0.6 breaks it when any table, also somebody else's, has flags.
    const auto tables = nft::show("list tables inet");
    if (!tables) return std::unexpected(tables.error());
    Listing listing;
    if (!("\n" + *tables).contains("\ntable inet " + name + "\n")) return listing;
    const auto entries = nft::list("list table inet " + name);
    listing.table = true;
    if (!entries && entries.error().code == Errc::unsupported) {
        listing.flags = true;
        return listing;
    }
    if (!entries) return std::unexpected(entries.error());
    for (const auto& entry : *entries) add(listing, entry);
    return listing;
}

/// What the rules do, without handles.
std::string fingerprint(const Listing& listing, NetworkId network) {
    std::string all;
    for (const auto& [name, listed] : listing.chains) {
        if (nft::network_of(name) != network) continue;
        for (const auto& rule : listed.rules) {
            all += name + ' ' + (rule.contains("expr") ? rule["expr"].dump() : std::string()) + '\n';
        }
    }
    return all;
}

bool matches(const ListedChain& listed, const nft::Chain& expected) {
    const auto& chain = listed.chain;
    const bool same = text(chain, "type") == expected.type && text(chain, "hook") == expected.hook &&
                      chain.value("prio", json()) == json(expected.priority) && text(chain, "policy") == "accept";
    return same && std::ranges::equal(listed.rules, expected.comments, {},
                                      [](const json& rule) { return text(rule, "comment"); });
}

bool complete(const Listing& listing, const std::vector<nft::Chain>& expected) {
    return !listing.flags && std::ranges::all_of(expected, [&listing](const nft::Chain& chain) {
        const auto found = listing.chains.find(chain.name);
        return found != listing.chains.end() && matches(found->second, chain);
    });
}

/// Less than the time between two looks at all rules.
constexpr std::chrono::seconds kAvailableFor{10};

/// A dormant table is woken by a bare `add`; the kernel takes no chains in the same transaction.
Result<void> wake(const std::string& table) {
    return nft::run(fmt::format("add table inet {}\n", table));
}

/// Shows to the kernel everything that apply() will ever load.
model::Network sample() {
    return {.id = NetworkId{1},
            .name = *model::Name::parse("sample"),
            .ipv4 = *Prefix::parse("192.0.2.0/24"),
            .ipv6 = *Prefix::parse("2001:db8::/64")};
}

}  // namespace

Result<void> LinuxFirewall::available() {
    const std::lock_guard lock(available_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (seen_available_ && now - *seen_available_ < kAvailableFor) return {};
    auto checked = nft::run(nft::load_commands(options_.instance, sample()), nft::Effect::none);
    seen_available_ = checked ? std::optional(now) : std::nullopt;
    if (checked) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "nft",
                                 .detail = "nftables cannot load jaild's rules: " + checked.error().detail,
                                 .reason = "firewall_unavailable",
                                 .remedy = "modprobe -a nf_tables nft_ct nft_masq nft_chain_nat"});
}

Result<std::vector<ObservedRules>> LinuxFirewall::list(const std::vector<model::Network>& desired) {
    const std::lock_guard lock(mutex_);
    const auto listing = read_table(nft_table(options_.instance));
    if (!listing) return std::unexpected(listing.error());

    std::map<NetworkId, ObservedRules> found;
    for (const auto& [name, listed] : listing->chains) {
        const auto network = nft::network_of(name);
        if (network.value != 0) found[network].network = network;
    }
    for (const auto& network : desired) {
        if (listing->flags) found[network.id].network = network.id;
        const auto observed = found.find(network.id);
        if (observed == found.end()) continue;
        const auto loaded = loaded_.find(network.id);
        observed->second.complete = complete(*listing, nft::chains(options_.instance, network)) &&
                                    (loaded == loaded_.end() || loaded->second == fingerprint(*listing, network.id));
    }
    std::vector<ObservedRules> all;
    for (const auto& [id, observed] : found) all.push_back(observed);
    return all;
}

Result<void> LinuxFirewall::apply(const model::Network& network) {
    const std::lock_guard lock(mutex_);
    const auto table = nft_table(options_.instance);
    const auto commands = nft::load_commands(options_.instance, network);
    auto done = nft::run(commands);
    if (!done && wake(table)) done = nft::run(commands);
    if (!done) return done;
    loaded_.erase(network.id);
    const auto listing = read_table(table);
    if (listing) loaded_[network.id] = fingerprint(*listing, network.id);
    return network.bridge.empty() && bridge_filter::present()
               ? bridge_filter::enable(bridge_name(options_.instance, network.id))
               : Result<void>{};
}

Result<void> LinuxFirewall::remove(NetworkId network) {
    const std::lock_guard lock(mutex_);
    const auto table = nft_table(options_.instance);
    auto listing = read_table(table);
    if (listing && listing->flags) {
        if (auto woken = wake(table); !woken) return woken;
        listing = read_table(table);
    }
    if (!listing) return std::unexpected(listing.error());
    loaded_.erase(network);
    if (!listing->table) return {};
    const bool others = std::ranges::any_of(listing->chains, [network](const auto& entry) {
        const auto owner = nft::network_of(entry.first);
        return owner.value != 0 && owner != network;
    });
    const auto jails = jails_.in_use();
    if (!jails) return std::unexpected(jails.error());
    if (others || *jails) return nft::run(nft::remove_commands(options_.instance, network));
    return nft::run(fmt::format("delete table inet {0}\nadd table bridge {0}\ndelete table bridge {0}\n", table));
}

/// Packets between two jails of one bridge come by the inet hooks with connection tracking only through br_netfilter,
/// asked for on each of our bridges (ip-link(8), nf_call_iptables); its sysctls, which speak for all bridges, are the
/// host's affair.
Result<void> LinuxFirewall::enforceable() {
    if (auto on = available(); !on) return on;
    if (bridge_filter::present()) return {};
    return bridge_filter::load();
}

/// What it would need is a change of the bridge, for all of its members.
Result<void> LinuxFirewall::enforceable_on(const std::string& bridge) {
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "firewall",
                                 .detail = "packets between the members of " + bridge +
                                           ", which is the host's own bridge, pass the packet filter by",
                                 .reason = "firewall_not_enforceable",
                                 .remedy = "put the jail on a network with a bridge of jaild's"});
}

Result<std::vector<ObservedJailRules>> LinuxFirewall::list_jails(const std::vector<JailRules>& desired) {
    const std::lock_guard lock(mutex_);
    return jails_.list(desired);
}

Result<void> LinuxFirewall::apply(const JailRules& rules) {
    const std::lock_guard lock(mutex_);
    if (auto done = jails_.apply(rules); !done || !bridge_filter::present()) return done;
    for (const auto& endpoint : rules.endpoints) {
        if (!endpoint.bridge.empty()) continue;
        if (auto done = bridge_filter::enable(bridge_name(options_.instance, endpoint.network)); !done) return done;
    }
    return {};
}

Result<void> LinuxFirewall::remove(JailId jail) {
    const std::lock_guard lock(mutex_);
    return jails_.remove(jail);
}

Result<void> LinuxFirewall::update(const std::vector<GroupUse>& groups) {
    const std::lock_guard lock(mutex_);
    return jails_.update(groups);
}

Result<LoadedText> LinuxFirewall::loaded(const JailRules& rules) {
    const std::lock_guard lock(mutex_);
    return jails_.loaded(rules.jail);
}

Result<std::optional<std::string>> LinuxFirewall::listener(const model::Publish& publish) {
    return sockets::listener(publish);
}

}  // namespace jaild::kernel
