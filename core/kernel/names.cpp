#include "core/kernel/names.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>

namespace jaild::kernel {
namespace {

constexpr char kBridgeSuffix = 'n';
constexpr char kVlanSuffix = 'v';
/// 36^8 - 1: more digits than these would not fit between "j" + instance and the suffix.
constexpr std::int64_t kMaxInterfaceId = 2'821'109'907'455;

/// Ids come from a database that counts from 1, so one beyond eight digits is a broken program, not an input.
std::string interface_name(const InstanceId& instance, std::int64_t id, char suffix) {
    if (id <= 0 || id > kMaxInterfaceId) std::abort();
    return fmt::format("j{}{}{}", instance.text(), to_base36(static_cast<std::uint64_t>(id)), suffix);
}

/// 'a' to 'p'
char letter_of(unsigned index, PairEnd end) {
    if (index >= kMaxInterfaces) std::abort();
    return static_cast<char>(static_cast<unsigned>(end) + 2 * index);
}

std::optional<std::int64_t> parse_interface_name(const InstanceId& instance, std::string_view name, char suffix) {
    const std::size_t prefix = 1 + InstanceId::kLength;
    if (name.size() < prefix + 2 || name.size() > kMaxInterfaceName) return std::nullopt;
    if (name.front() != 'j' || name.back() != suffix || name.substr(1, InstanceId::kLength) != instance.text()) {
        return std::nullopt;
    }
    const auto id = from_base36(name.substr(prefix, name.size() - prefix - 1));
    if (!id || *id == 0 || *id > static_cast<std::uint64_t>(kMaxInterfaceId)) return std::nullopt;
    const auto value = static_cast<std::int64_t>(*id);
    if (interface_name(instance, value, suffix) != name) return std::nullopt;  // only the form that we write
    return value;
}

/// A positive decimal number, written as we write it: no sign, no leading zero.
std::optional<std::int64_t> parse_decimal(std::string_view text) {
    if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> parse_after(std::string_view text, const std::string& prefix) {
    if (!text.starts_with(prefix)) return std::nullopt;
    return parse_decimal(text.substr(prefix.size()));
}

template <class T>
std::optional<T> as_id(std::optional<std::int64_t> value) {
    if (!value) return std::nullopt;
    return T{*value};
}

std::string jail_mark_prefix(const InstanceId& instance) {
    return fmt::format("jaild:{}:jail:", instance.text());
}
std::string network_mark_prefix(const InstanceId& instance) {
    return fmt::format("jaild:{}:network:", instance.text());
}
constexpr std::string_view kUplinkMark = " uplink ";

std::string container_prefix(const InstanceId& instance) {
    return fmt::format("jaild-{}-", instance.text());
}

/// FNV-1a (draft-eastlake-fnv) with a final mix, so that neighbouring ids differ in every byte.
std::string hashed_mac(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    hash ^= hash >> 33U;
    hash *= 0xff51afd7ed558ccdU;
    hash ^= hash >> 33U;
    return fmt::format("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", hash & 0xffU, (hash >> 8U) & 0xffU,
                       (hash >> 16U) & 0xffU, (hash >> 24U) & 0xffU, (hash >> 32U) & 0xffU);
}

}  // namespace

std::string pair_name(const InstanceId& instance, LinkId link, PairEnd end) {
    return interface_name(instance, link.jail.value, letter_of(link.index, end));
}

std::optional<LinkId> parse_pair_name(const InstanceId& instance, std::string_view name) {
    for (unsigned index = 0; index < kMaxInterfaces; ++index) {
        const auto jail = parse_interface_name(instance, name, letter_of(index, PairEnd::host));
        if (jail) return LinkId{.jail = JailId{*jail}, .index = index};
    }
    return std::nullopt;
}

std::string jail_interface(unsigned index) {
    return fmt::format("vnet{}", index);
}

std::string bridge_name(const InstanceId& instance, NetworkId network) {
    return interface_name(instance, network.value, kBridgeSuffix);
}

std::optional<NetworkId> parse_bridge_name(const InstanceId& instance, std::string_view name) {
    return as_id<NetworkId>(parse_interface_name(instance, name, kBridgeSuffix));
}

std::string vlan_name(const InstanceId& instance, NetworkId network) {
    return interface_name(instance, network.value, kVlanSuffix);
}

std::optional<NetworkId> parse_vlan_name(const InstanceId& instance, std::string_view name) {
    return as_id<NetworkId>(parse_interface_name(instance, name, kVlanSuffix));
}

std::string jail_mark(const InstanceId& instance, JailId jail) {
    return jail_mark_prefix(instance) + std::to_string(jail.value);
}

std::string network_mark(const InstanceId& instance, NetworkId network) {
    return network_mark_prefix(instance) + std::to_string(network.value);
}

std::string bridge_mark(const InstanceId& instance, NetworkId network, const std::string& uplink) {
    const auto plain = network_mark(instance, network);
    return uplink.empty() ? plain : plain + std::string(kUplinkMark) + uplink;
}

std::optional<std::string> parse_bridge_mark(const InstanceId& instance, NetworkId network, std::string_view mark) {
    const auto plain = network_mark(instance, network);
    if (mark == plain) return std::string();
    const auto start = plain + std::string(kUplinkMark);
    if (!mark.starts_with(start) || mark.size() == start.size()) return std::nullopt;
    return std::string(mark.substr(start.size()));
}

std::optional<JailId> parse_jail_mark(const InstanceId& instance, std::string_view mark) {
    return as_id<JailId>(parse_after(mark, jail_mark_prefix(instance)));
}

std::optional<NetworkId> parse_network_mark(const InstanceId& instance, std::string_view mark) {
    return as_id<NetworkId>(parse_after(mark, network_mark_prefix(instance)));
}

std::string container_name(const InstanceId& instance, JailId jail) {
    return container_prefix(instance) + std::to_string(jail.value);
}

std::optional<JailId> parse_container_name(const InstanceId& instance, std::string_view name) {
    return as_id<JailId>(parse_after(name, container_prefix(instance)));
}

std::string cgroup_path(const InstanceId& instance, JailId jail) {
    return fmt::format("jaild/{}/{}", instance.text(), jail.value);
}

std::string nft_table(const InstanceId& instance) {
    return "jaild-" + instance.text();
}

std::string jail_anchor(const InstanceId& instance, JailId jail) {
    return fmt::format("jaild/{}-j{}", instance.text(), jail.value);
}

std::string network_anchor(const InstanceId& instance, NetworkId network) {
    return fmt::format("jaild/{}-n{}", instance.text(), network.value);
}

std::string mac_address(const InstanceId& instance, LinkId link, PairEnd end) {
    return hashed_mac(fmt::format("{}:jail:{}:{}", instance.text(), link.jail.value, letter_of(link.index, end)));
}

std::string high_mac_address(const InstanceId& instance, LinkId link) {
    return "fe" + mac_address(instance, link, PairEnd::host).substr(2);
}

std::string bridge_mac_address(const InstanceId& instance, NetworkId network) {
    return hashed_mac(fmt::format("{}:network:{}", instance.text(), network.value));
}

}  // namespace jaild::kernel
