// What if_bridge(4) is asked by SIOCSDRVSPEC and SIOCGDRVSPEC.
#include <sys/types.h>
// after <sys/types.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_bridgevar.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include <cerrno>
#include <string_view>

#include "core/kernel/freebsd/bridge.h"
#include "core/kernel/freebsd/system/request.h"

namespace jaild::kernel::freebsd::bridge {
namespace {

/// Far beyond what one bridge holds; it ends the growing of the buffer.
constexpr std::size_t kMaxMembers = 1 << 16;

Result<void> tell(std::string_view op, unsigned long code, unsigned long command, const std::string& bridge, void* data,
                  std::size_t size) {
    ifdrv asked{};
    if (auto put = put_name(asked.ifd_name, bridge); !put) return put;
    asked.ifd_cmd = command;
    asked.ifd_len = size;
    asked.ifd_data = data;
    return request(AF_LOCAL, op, code, &asked, bridge);
}

Result<void> change_member(std::string_view op, unsigned long command, const std::string& bridge,
                           const std::string& interface) {
    ifbreq member{};
    if (auto put = put_name(member.ifbr_ifsname, interface); !put) return put;
    return tell(op, SIOCSDRVSPEC, command, bridge, &member, sizeof member);
}

}  // namespace

Result<std::vector<Member>> members(const std::string& bridge) {
    for (std::size_t room = 64; room <= kMaxMembers; room *= 4) {
        std::vector<ifbreq> list(room);
        ifbifconf asked{};
        asked.ifbic_len = static_cast<uint32_t>(list.size() * sizeof(ifbreq));
        asked.ifbic_req = list.data();
        auto got = tell("BRDGGIFS", SIOCGDRVSPEC, BRDGGIFS, bridge, &asked, sizeof asked);
        if (!got && got.error().code == Errc::not_found) return std::vector<Member>{};
        if (!got) return std::unexpected(got.error());
        const std::size_t count = asked.ifbic_len / sizeof(ifbreq);
        if (count >= room) continue;  // there may be more
        std::vector<Member> all;
        for (std::size_t i = 0; i < count; ++i)
            all.push_back({.name = list[i].ifbr_ifsname, .isolated = (list[i].ifbr_ifsflags & IFBIF_PRIVATE) != 0});
        return all;
    }
    return std::unexpected(Error{.code = Errc::exhausted, .op = "BRDGGIFS", .detail = bridge});
}

Result<void> add_member(const std::string& bridge, const std::string& interface) {
    auto added = change_member("BRDGADD", BRDGADD, bridge, interface);
    if (!added && added.error().sys == EEXIST) return {};
    if (added) return added;
    auto error = added.error();
    error.detail += " with " + interface;
    return std::unexpected(std::move(error));
}

Result<void> remove_member(const std::string& bridge, const std::string& interface) {
    auto removed = change_member("BRDGDEL", BRDGDEL, bridge, interface);
    if (!removed && (removed.error().sys == ENOENT || removed.error().code == Errc::not_found)) return {};
    return removed;
}

Result<void> set_isolated(const std::string& bridge, const std::string& interface, bool isolated) {
    ifbreq member{};
    if (auto put = put_name(member.ifbr_ifsname, interface); !put) return put;
    if (auto got = tell("BRDGGIFFLGS", SIOCGDRVSPEC, BRDGGIFFLGS, bridge, &member, sizeof member); !got) return got;
    const auto before = member.ifbr_ifsflags;
    const auto flag = static_cast<uint32_t>(IFBIF_PRIVATE);
    member.ifbr_ifsflags = isolated ? before | flag : before & ~flag;
    if (member.ifbr_ifsflags == before) return {};
    return tell("BRDGSIFFLGS", SIOCSDRVSPEC, BRDGSIFFLGS, bridge, &member, sizeof member);
}

}  // namespace jaild::kernel::freebsd::bridge
