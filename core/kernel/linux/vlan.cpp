#include "core/kernel/linux/vlan.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/spawn.h"
#include "core/kernel/linux/configure.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::vlan {
namespace {

/// Of the calling thread's network namespace; there as long as the kernel knows VLANs.
constexpr const char* kProc = "/proc/thread-self/net/vlan";

Error unavailable() {
    return unsupported_field("/vlan", "this kernel has no VLAN interfaces, or their module cannot be loaded",
                             "modprobe 8021q (CONFIG_VLAN_8021Q)");
}

Error vanished(const std::string& name) {
    return {.code = Errc::busy, .op = "links", .detail = name + " vanished while it was set up"};
}

/// One that a crash left before its mark has ours still to come: nobody else's has such a name and is down.
bool is_ours(const InstanceId& instance, NetworkId network, const rtnl::Interface& interface) {
    if (interface.name != vlan_name(instance, network) || interface.kind != "vlan") return false;
    return interface.alias == network_mark(instance, network) || (interface.alias.empty() && !interface.up);
}

Result<rtnl::Interface> find_parent(nl::Socket& socket, const std::string& name) {
    auto found = rtnl::find(socket, name);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(interface_not_found(name, "/uplink"));
    return std::move(**found);
}

Result<rtnl::Interface> make(nl::Socket& socket, const std::string& name, const rtnl::Interface& parent,
                             const model::Network& network) {
    auto made = rtnl::add_vlan(socket, {.name = name, .mac = {}, .mtu = network.mtu}, parent, network.vlan);
    if (!made && made.error().sys == EOPNOTSUPP) return std::unexpected(unavailable());
    if (!made) return std::unexpected(made.error());
    auto found = rtnl::find(socket, name);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(vanished(name));
    return std::move(**found);
}

}  // namespace

Result<void> check() {
    if (::access(kProc, F_OK) == 0) return {};
    (void)run({"modprobe", "8021q"}, {});
    if (::access(kProc, F_OK) == 0) return {};
    return std::unexpected(unavailable());
}

const rtnl::Interface* find(const std::vector<rtnl::Interface>& all, const InstanceId& instance, NetworkId network) {
    const auto found =
        std::ranges::find_if(all, [&](const rtnl::Interface& one) { return is_ours(instance, network, one); });
    return found == all.end() ? nullptr : &*found;
}

std::vector<NetworkId> networks(const std::vector<rtnl::Interface>& all, const InstanceId& instance) {
    std::vector<NetworkId> found;
    for (const auto& one : all) {
        const auto network = parse_vlan_name(instance, one.name);
        if (network && is_ours(instance, *network, one)) found.push_back(*network);
    }
    return found;
}

Result<rtnl::Interface> ensure(nl::Socket& socket, const InstanceId& instance, const model::Network& network) {
    const auto parent = find_parent(socket, network.uplink);
    if (!parent) return std::unexpected(parent.error());
    if (!parent->up) {
        if (auto raised = rtnl::change(socket, *parent, {.up = true}); !raised) return std::unexpected(raised.error());
    }
    const auto name = vlan_name(instance, network.id);
    auto there = rtnl::find(socket, name);
    if (!there) return std::unexpected(there.error());
    if (*there && !is_ours(instance, network.id, **there)) return std::unexpected(rtnl::name_in_use(**there));
    if (*there && ((*there)->peer != parent->index || (*there)->vlan != network.vlan)) {
        if (auto gone = rtnl::remove(socket, **there); !gone) return std::unexpected(gone.error());
        there->reset();
    }
    auto interface = *there ? Result<rtnl::Interface>(std::move(**there)) : make(socket, name, *parent, network);
    if (!interface) return interface;
    const auto mark = network_mark(instance, network.id);
    if (interface->alias == mark) return interface;
    if (auto done = rtnl::change(socket, *interface, {.alias = mark}); !done) return std::unexpected(done.error());
    return interface;
}

Result<void> remove(nl::Socket& socket, const InstanceId& instance, NetworkId network) {
    const auto found = rtnl::find(socket, vlan_name(instance, network));
    if (!found) return std::unexpected(found.error());
    if (!*found || !is_ours(instance, network, **found)) return {};
    return rtnl::remove(socket, **found);
}

}  // namespace jaild::kernel::vlan
