#include "core/kernel/freebsd/network_checks.h"

#include <fmt/format.h>

#include "core/base/files.h"
#include "core/kernel/freebsd/pure/rc_conf.h"
#include "core/kernel/freebsd/system/advertised_routers.h"
#include "core/kernel/freebsd/system/sysctl.h"

namespace jaild::kernel::freebsd {
namespace {

using model::Check;
using model::CheckState;

Check forwarding_check(const char* name, const char* value) {
    Check check{.name = name};
    const auto on = sysctl::number(value);
    if (!on || !*on) {
        check.state = CheckState::warning;
        check.detail = "this kernel has none";
    } else if (**on == 0) {
        check.state = CheckState::warning;
        check.detail = "off: jails reach their own network and this host only";
        check.remedy = fmt::format("sysctl {}=1", value);
    } else {
        check.detail = "on";
    }
    return check;
}

Check advertisement_check() {
    Check check{.name = "router_advertisements"};
    const auto lost = forwarding_loses_router();
    if (!lost) {
        check.state = CheckState::warning;
        check.detail = lost.error().to_string();
        return check;
    }
    if (!*lost) {
        check.detail = "IPv6 forwarding takes no default route away";
        return check;
    }
    check.state = CheckState::warning;
    check.detail =
        "with IPv6 forwarding on, this host loses the IPv6 default route that it has by advertisement; it is not "
        "switched on as long as that is so";
    check.remedy = kKeepRouterRemedy;
    return check;
}

}  // namespace

std::vector<Check> check_forwarding() {
    return {forwarding_check("ipv4_forwarding", "net.inet.ip.forwarding"),
            forwarding_check("ipv6_forwarding", "net.inet6.ip6.forwarding"), advertisement_check()};
}

Check check_bridge_filter() {
    Check check{.name = "bridge_pfil"};
    std::string on;
    for (const char* name : {"net.link.bridge.pfil_member", "net.link.bridge.pfil_bridge"}) {
        const auto value = sysctl::number(name);
        if (value && value->value_or(0) != 0) on += fmt::format(" {}=0", name);
    }
    if (on.empty()) {
        check.detail = "traffic between jails of one network stays on its bridge, where pf does not see it";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = "traffic between jails of one network also passes this host's pf, which may drop it";
    check.remedy = "sysctl" + on;
    return check;
}

Check check_firewall(Firewall& firewall) {
    Check check{.name = "pf"};
    const auto available = firewall.available();
    if (available) {
        check.detail = "on, with jaild's anchors in its main ruleset";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = available.error().detail + ": jails run, without NAT and without their firewall";
    check.remedy = available.error().remedy;
    return check;
}

Check check_devd() {
    constexpr std::size_t kLimit = 1 << 20;
    Check check{.name = "devd"};
    std::string value;
    for (const char* path : {"/etc/defaults/rc.conf", "/etc/rc.conf", "/etc/rc.conf.local"}) {
        const auto text = files::read(path, kLimit);
        if (!text) continue;
        if (auto found = rc_value(*text, "ifconfig_DEFAULT"); !found.empty()) value = std::move(found);
    }
    if (value.empty()) {
        check.detail = "new interfaces of jails are left alone";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = fmt::format(
        "ifconfig_DEFAULT is \"{}\": devd(8) sets up every interface that appears, the host's ends of jails too",
        value);
    check.remedy = "name the interface instead: sysrc -x ifconfig_DEFAULT && sysrc ifconfig_em0=\"" + value + "\"";
    return check;
}

}  // namespace jaild::kernel::freebsd
