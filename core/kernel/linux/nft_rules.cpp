#include "core/kernel/linux/nft_rules.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "core/kernel/names.h"

namespace jaild::kernel::nft {
namespace {

constexpr std::string_view kSource = "source";
constexpr std::string_view kForward = "forward";
constexpr std::string_view kNat = "nat";
constexpr std::array kChains{kSource, kForward, kNat};

// nft(8), "Standard priority names": by number, so that a listing says the same on every version.
constexpr int kRaw = -300;
constexpr int kFilter = 0;
constexpr int kSourceNat = 100;

std::string chain_name(NetworkId network, std::string_view part) {
    return fmt::format("n{}-{}", network.value, part);
}

/// FNV-1a (draft-eastlake-fnv). Tells a rule of ours from one of an earlier version; not a secret.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return value;
}

/// What comes from the bridge says where it comes from: a jail cannot borrow an address outside its network. "::" and
/// link-local sources are neighbour discovery (RFC 4861 §4.3).
std::vector<std::string> source_rules(const std::string& bridge, const model::Network& network,
                                      const std::string& bridge_mac) {
    // With an uplink there are others on the bridge, and only what is sent to this host is asked.
    const auto from = network.uplink.empty() ? fmt::format(R"(iifname "{}")", bridge)
                                             : fmt::format(R"(iifname "{}" ether daddr {})", bridge, bridge_mac);
    // 0.0.0.0 asks for an address (RFC 2131 §4.1).
    auto first = network.ipv4 ? fmt::format("{} ip saddr != {{ 0.0.0.0, {} }} drop", from, network.ipv4->to_string())
                              : fmt::format("{} ip saddr != 0.0.0.0 drop", from);
    auto second = fmt::format("{} ip6 saddr != {{ ::, fe80::/10{} }} drop", from,
                              network.ipv6 ? ", " + network.ipv6->to_string() : std::string());
    return {std::move(first), std::move(second)};
}

/// Into the network from elsewhere: answers only, but to jails whose own rules decide (nft_jail_rules.h).
std::vector<std::string> forward_rules(const std::string& bridge, const model::Network& network,
                                       const std::string& bridge_mac) {
    std::vector<std::string> rules{
        fmt::format(R"(iifname != "{0}" oifname "{0}" ct state established,related accept)", bridge),
        fmt::format(R"(iifname != "{0}" oifname "{0}" ip daddr @decided4 accept)", bridge),
        fmt::format(R"(iifname != "{0}" oifname "{0}" ip6 daddr @decided6 accept)", bridge),
        fmt::format(R"(iifname != "{0}" oifname "{0}" drop)", bridge)};
    // What the bridge keeps apart must not come together by a detour over this host: a frame that was sent to it.
    if (network.isolated)
        rules.push_back(fmt::format(R"(iifname "{0}" oifname "{0}" ether daddr {1} drop)", bridge, bridge_mac));
    return rules;
}

/// Whatever leaves the network; with an interface named, only by that one. Its own address there, or one that is named.
std::vector<std::string> nat_rules(const std::string& bridge, const model::Network& network) {
    const auto& nat = network.nat;
    const auto way = nat.interface.empty() ? fmt::format(R"(!= "{}")", bridge) : fmt::format(R"("{}")", nat.interface);
    std::vector<std::string> rules;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        if (!network.translates(family)) continue;
        const auto* word = family == Family::ipv4 ? "ip" : "ip6";
        const auto& address = family == Family::ipv4 ? nat.address4 : nat.address6;
        const auto verdict =
            address ? fmt::format("snat {} to {}", word, address->to_string()) : std::string("masquerade");
        rules.push_back(
            fmt::format("{} saddr {} oifname {} {}", word, network.subnet(family)->to_string(), way, verdict));
    }
    return rules;
}

Chain nat_chain(const std::string& bridge, const model::Network& network) {
    return {.name = chain_name(network.id, kNat),
            .type = "nat",
            .hook = "postrouting",
            .priority = kSourceNat,
            .rules = nat_rules(bridge, network),
            .comments = {}};
}

Chain with_comments(Chain chain, const std::string& mark) {
    for (std::size_t i = 0; i < chain.rules.size(); ++i) {
        const auto& rule = chain.rules[i];
        chain.comments.push_back(fmt::format("{} {}/{} {:016x}", mark, i + 1, chain.rules.size(), hash(rule)));
    }
    return chain;
}

/// A bare `add` succeeds on a chain of any kind, so the delete after it always finds one.
std::string delete_commands(const std::string& table, const std::string& chain) {
    return fmt::format("add chain inet {0} {1}\ndelete chain inet {0} {1}\n", table, chain);
}

}  // namespace

std::vector<Chain> chains(const InstanceId& instance, const model::Network& network) {
    if (!network.bridge.empty())
        return {with_comments(nat_chain(network.bridge, network), network_mark(instance, network.id))};
    const auto bridge = bridge_name(instance, network.id);
    const auto mac = bridge_mac_address(instance, network.id);
    std::vector<Chain> all{{.name = chain_name(network.id, kSource),
                            .type = "filter",
                            .hook = "prerouting",
                            .priority = kRaw,
                            .rules = source_rules(bridge, network, mac),
                            .comments = {}},
                           {.name = chain_name(network.id, kForward),
                            .type = "filter",
                            .hook = "forward",
                            .priority = kFilter,
                            .rules = forward_rules(bridge, network, mac),
                            .comments = {}},
                           nat_chain(bridge, network)};
    for (auto& chain : all) chain = with_comments(std::move(chain), network_mark(instance, network.id));
    return all;
}

std::string load_commands(const InstanceId& instance, const model::Network& network) {
    const auto table = nft_table(instance);
    auto commands = fmt::format(
        "add table inet {0}\nadd set inet {0} decided4 {{ type ipv4_addr; }}\n"
        "add set inet {0} decided6 {{ type ipv6_addr; }}\n",
        table);
    for (const auto& chain : chains(instance, network)) {
        commands += delete_commands(table, chain.name);
        commands += fmt::format("add chain inet {} {} {{ type {} hook {} priority {}; policy accept; }}\n", table,
                                chain.name, chain.type, chain.hook, chain.priority);
        for (std::size_t i = 0; i < chain.rules.size(); ++i) {
            commands += fmt::format("add rule inet {} {} {} comment \"{}\"\n", table, chain.name, chain.rules[i],
                                    chain.comments[i]);
        }
    }
    return commands;
}

std::string remove_commands(const InstanceId& instance, NetworkId network) {
    std::string commands;
    for (const auto part : kChains) commands += delete_commands(nft_table(instance), chain_name(network, part));
    return commands;
}

NetworkId network_of(std::string_view chain) {
    if (!chain.starts_with('n')) return {};
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(chain.data() + 1, chain.data() + chain.size(), id);
    if (error != std::errc{} || id <= 0) return {};
    for (const auto part : kChains) {
        if (chain == chain_name(NetworkId{id}, part)) return NetworkId{id};
    }
    return {};
}

}  // namespace jaild::kernel::nft
