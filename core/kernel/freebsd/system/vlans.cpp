#include "core/kernel/freebsd/system/vlans.h"

#include <sys/types.h>
// after <sys/types.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_vlan_var.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include "core/kernel/freebsd/system/request.h"

namespace jaild::kernel::freebsd {
namespace {

Result<void> ask_vlan(std::string_view op, unsigned long code, const std::string& name, vlanreq& tag) {
    ifreq asked{};
    if (auto put = put_name(asked.ifr_name, name); !put) return put;
    asked.ifr_data = reinterpret_cast<caddr_t>(&tag);
    return request(AF_LOCAL, op, code, &asked, name);
}

}  // namespace

Result<VlanTag> vlan_tag(const std::string& name) {
    vlanreq tag{};
    if (auto got = ask_vlan("SIOCGETVLAN", SIOCGETVLAN, name, tag); !got) return std::unexpected(got.error());
    return VlanTag{.parent = tag.vlr_parent, .id = tag.vlr_tag};
}

Result<void> set_vlan_tag(const std::string& name, const VlanTag& tag) {
    vlanreq asked{};
    // Without a parent the kernel takes the tag away (if_vlan.c, SIOCSETVLAN).
    if (!tag.parent.empty())
        if (auto put = put_name(asked.vlr_parent, tag.parent); !put) return put;
    asked.vlr_tag = static_cast<u_short>(tag.id);
    asked.vlr_proto = ETHERTYPE_VLAN;
    return ask_vlan("SIOCSETVLAN", SIOCSETVLAN, name, asked);
}

}  // namespace jaild::kernel::freebsd
