#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/linux/nl.h"

/// Interfaces by rtnetlink(7), in the namespace of the socket. Blocking.
namespace jaild::kernel::rtnl {

/// How a bridge treats a member, ip-link(8) "bridge_slave".
struct Port {
    bool hairpin = false;   ///< it may get back what it sent: a jail that reaches itself by a port of the host
    bool isolated = false;  ///< nothing goes from it to another isolated one
    bool operator==(const Port&) const = default;
};

/// What went through it since it was made: `in` is what it received.
struct Traffic {
    std::uint64_t bytes_in = 0;
    std::uint64_t packets_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t packets_out = 0;
};

struct Interface {
    int index = 0;
    std::string name;
    std::string alias;  ///< ifalias: where our mark is
    std::string kind;   ///< "veth", "bridge"; empty for a device
    std::string mac;    ///< "02:…"
    bool up = false;    ///< IFF_UP
    unsigned mtu = 0;
    int master = 0;     ///< index of its bridge, 0: none
    int peer = 0;       ///< veth: index of the other end in its own namespace; vlan: of its parent
    unsigned vlan = 0;  ///< its id
    Port port{};        ///< of a bridge's member
    Traffic traffic{};
};

Result<std::vector<Interface>> interfaces(nl::Socket& socket);
Result<std::optional<Interface>> find(nl::Socket& socket, const std::string& name);
Result<std::optional<Interface>> find(nl::Socket& socket, int index);

/// What changes; the rest stays.
struct Change {
    std::optional<std::string> name{};  ///< only while it is down
    std::optional<std::string> alias{};
    std::optional<std::string> mac{};
    std::optional<unsigned> mtu{};
    std::optional<int> master{};
    std::optional<int> netns{};  ///< a descriptor; it leaves this namespace
    std::optional<bool> up{};
    [[nodiscard]] bool empty() const;
};
Result<void> change(nl::Socket& socket, const Interface& interface, const Change& change);
Result<void> set_port(nl::Socket& socket, const Interface& member, const Port& port);
/// Gone already: success.
Result<void> remove(nl::Socket& socket, const Interface& interface);

struct NewInterface {
    std::string name;
    std::string mac;
    unsigned mtu = 1500;
};
/// Both ends in the socket's namespace, down. The kernel takes no alias at this moment: set it next.
Result<void> add_veth(nl::Socket& socket, const NewInterface& one, const NewInterface& other);
/// Down, with the parent's MAC address. The same about its alias.
Result<void> add_vlan(nl::Socket& socket, const NewInterface& vlan, const Interface& parent, unsigned id);
/// Down, without spanning tree. The same about its alias.
Result<void> add_bridge(nl::Socket& socket, const NewInterface& bridge);

}  // namespace jaild::kernel::rtnl
