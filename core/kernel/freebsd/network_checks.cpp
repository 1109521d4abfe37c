#include "core/kernel/freebsd/network_checks.h"

#include <optional>
#include <string>
#include <utility>

#include "core/base/files.h"
#include "core/kernel/freebsd/pure/findings.h"
#include "core/kernel/freebsd/pure/rc_conf.h"
#include "core/kernel/freebsd/system/advertised_routers.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd {
namespace {

using model::Check;
using model::CheckState;

Check forwarding_check(const findings::Forwarding& what) {
    const auto value = sysctl::number(what.sysctl);
    return findings::forwarding(what, value ? *value : std::nullopt);
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
    return {forwarding_check(findings::kForwarding4), forwarding_check(findings::kForwarding6), advertisement_check()};
}

Check check_bridge_filter() {
    const auto on = [](const char* name) {
        const auto value = sysctl::number(name);
        return value && value->value_or(0) != 0;
    };
    return findings::bridge_filter(on(findings::kFilterMembers), on(findings::kFilterLocal));
}

Check check_firewall(FreeBsdFirewall& firewall) {
    Check check{.name = "pf"};
    const auto available = firewall.check_main_ruleset();
    if (available) {
        check.detail = "on, with jaild's anchors in its main ruleset";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = available.error().detail + ": jails run, without NAT and without their firewall";
    check.remedy = available.error().remedy;
    return check;
}

Check check_ipfw() {
    // Only where ipfw(4) is in the kernel are there such values.
    const auto on = [](const char* name) {
        const auto value = sysctl::number(name);
        return value && value->value_or(0) != 0;
    };
    return findings::ipfw(on("net.inet.ip.fw.enable") || on("net.inet6.ip6.fw.enable"));
}

Check check_devd(const InstanceId& instance) {
    constexpr std::size_t kLimit = 1 << 20;
    std::string value;
    for (const char* path : {"/etc/defaults/rc.conf", "/etc/rc.conf", "/etc/rc.conf.local"}) {
        const auto text = files::read(path, kLimit);
        if (!text) continue;
        if (auto found = rc_value(*text, "ifconfig_DEFAULT"); !found.empty()) value = std::move(found);
    }
    std::vector<std::string> addressed;
    if (const auto all = interfaces())
        for (const auto& interface : *all)
            if (!interface.addresses.empty() && !interface.name.starts_with("lo") &&
                !parse_bridge_name(instance, interface.name))
                addressed.push_back(interface.name);
    return findings::devd(value, addressed);
}

}  // namespace jaild::kernel::freebsd
