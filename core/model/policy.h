#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

/// Who may reach a jail and where it may go. Plain values; docs/firewall.md says what they mean.
namespace jaild::model {

enum class Protocol { tcp, udp, icmp };  ///< icmp: ICMP and ICMPv6
std::string_view to_string(Protocol protocol);

/// 1 … 65535, both ends included.
struct PortRange {
    std::uint16_t first = 1;
    std::uint16_t last = 65535;
    auto operator<=>(const PortRange&) const = default;
    [[nodiscard]] bool contains(std::uint16_t port) const { return first <= port && port <= last; }
    [[nodiscard]] bool overlaps(const PortRange& other) const { return first <= other.last && other.first <= last; }
    [[nodiscard]] unsigned size() const { return last - first + 1U; }
    [[nodiscard]] std::string to_string() const;  ///< "80", "8000-8010"
};

/// A port of the host, or as many in a row, that lead to the jail's.
struct Publish {
    PortRange host_port;
    PortRange jail_port;                      ///< of the same size
    Protocol protocol = Protocol::tcp;        ///< tcp or udp
    std::optional<IpAddress> host_address{};  ///< nothing: every address of the host, of both families
    bool operator==(const Publish&) const = default;
    /// "tcp 192.0.2.1:8080-8081": what it takes of the host.
    [[nodiscard]] std::string host_side() const;
};
/// They cannot both be given: same protocol, a port in common, and an address in common.
[[nodiscard]] bool collide(const Publish& one, const Publish& other);

/// Whom a rule is about. What does not exist (yet) is nobody.
struct PeerJail {
    std::string name;
    auto operator<=>(const PeerJail&) const = default;
};
struct PeerLabel {
    std::string key;
    std::optional<std::string> value{};  ///< nothing: any
    auto operator<=>(const PeerLabel&) const = default;
};
struct PeerNetwork {
    std::string name;  ///< everything in its subnets
    auto operator<=>(const PeerNetwork&) const = default;
};
using Peer = std::variant<PeerJail, PeerLabel, PeerNetwork, Prefix>;

enum class Action { allow, deny };
std::string_view to_string(Action action);

struct PolicyRule {
    std::optional<Peer> peer{};          ///< JSON: "from" of ingress, "to" of egress; nothing: anyone
    std::optional<Protocol> protocol{};  ///< nothing: any
    std::vector<PortRange> ports{};      ///< of the destination; with them the protocol is tcp, udp, or nothing: both
    Action action = Action::allow;
    bool operator==(const PolicyRule&) const = default;
};

/// The first rule that matches decides.
struct Policy {
    Action fallback = Action::deny;  ///< JSON: "default"
    std::vector<PolicyRule> rules{};
    bool operator==(const Policy&) const = default;
};

struct FirewallSpec {
    std::optional<Policy> ingress{};  ///< nothing: in from its own networks and to published ports
    std::optional<Policy> egress{};   ///< nothing: anywhere
    bool operator==(const FirewallSpec&) const = default;
    [[nodiscard]] bool empty() const { return !ingress && !egress; }
};

/// How much of it a spec may hold; each is tested.
struct PolicyLimits {
    static constexpr std::size_t publish = 64;
    /// Ports of one entry that lead to other numbers: each is a rule of its own.
    static constexpr unsigned shifted_ports = 256;
    static constexpr std::size_t rules = 128;  ///< of one direction
    static constexpr std::size_t ports = 32;   ///< of one rule
};

}  // namespace jaild::model
