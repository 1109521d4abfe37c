#include "core/kernel/linux/bridge_filter.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>

#include "core/base/spawn.h"
#include "core/base/unique_fd.h"
#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/nl.h"

namespace jaild::kernel::bridge_filter {
namespace {

constexpr std::array kSwitches{"/proc/sys/net/bridge/bridge-nf-call-iptables",
                               "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
                               "/proc/sys/net/bridge/bridge-nf-call-arptables"};

}  // namespace

bool present() {
    return ::access(kSwitches.front(), F_OK) == 0;
}

Result<void> load() {
    if (present()) return {};
    const auto done = run({"modprobe", "br_netfilter"}, {});
    for (const auto* path : kSwitches) {
        // sysctl(8) writes into the file that is there; a write by rename has no place in /proc.
        const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
        if (file && ::write(file.get(), "0\n", 2) != 2)
            return std::unexpected(Error::from_errno("write", errno, std::string(path) + ", to set it back"));
    }
    if (done && present()) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "br_netfilter",
                                 .detail = "packets between jails of one bridge pass the packet filter by: this kernel "
                                           "has no bridge netfilter, or its module cannot be loaded",
                                 .reason = "firewall_not_enforceable",
                                 .remedy = "modprobe br_netfilter (CONFIG_BRIDGE_NETFILTER)"});
}

Result<void> enable(const std::string& bridge) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto found = rtnl::find(*socket, bridge);
    if (!found) return std::unexpected(found.error());
    if (!*found || (*found)->kind != "bridge") return {};
    ifinfomsg info{};
    info.ifi_family = AF_UNSPEC;
    info.ifi_index = (*found)->index;
    nl::Message message(RTM_NEWLINK, 0, info);
    message.nest(IFLA_LINKINFO, [&message] {
        message.put(IFLA_INFO_KIND, "bridge");
        message.nest(IFLA_INFO_DATA, [&message] {
            constexpr std::uint8_t on = 1;
            message.put(IFLA_BR_NF_CALL_IPTABLES, std::span(&on, 1));
            message.put(IFLA_BR_NF_CALL_IP6TABLES, std::span(&on, 1));
        });
    });
    return socket->request(message, "RTM_NEWLINK", bridge);
}

}  // namespace jaild::kernel::bridge_filter
