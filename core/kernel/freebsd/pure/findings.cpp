#include "core/kernel/freebsd/pure/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace jaild::kernel::freebsd::findings {

using model::Check;
using model::CheckState;

Check vimage(bool on) {
    if (on) return {.name = "vimage", .detail = "jails can have a network stack of their own"};
    return {.name = "vimage",
            .state = CheckState::problem,
            .detail = "this kernel is built without VIMAGE: no jail can have a network stack of its own",
            .remedy = "add \"options VIMAGE\" to the kernel's configuration, or use GENERIC"};
}

Check racct(Racct found) {
    if (found == Racct::on) return {.name = "racct", .detail = "limits can be enforced"};
    Check check{.name = "racct", .state = CheckState::warning};
    if (found == Racct::absent) {
        check.detail = "this kernel is built without RACCT: there are no limits";
        check.remedy = "add \"options RACCT\" and \"options RCTL\" to the kernel's configuration, or use GENERIC";
    } else {
        check.detail = "off: a jail with limits is refused, or kept stopped";
        check.remedy = "sysrc -f /boot/loader.conf kern.racct.enable=1 && shutdown -r now";
    }
    return check;
}

Check module(std::string_view name, Module found) {
    Check check{.name = fmt::format("module_{}", name)};
    if (found == Module::missing) {
        check.state = CheckState::problem;
        check.detail = fmt::format("{} is neither in the kernel nor in kern.module_path", name);
        check.remedy = "install the kernel's modules: freebsd-update IDS shows what is missing";
    } else {
        check.detail = found == Module::present ? "there" : "loaded when it is needed";
    }
    return check;
}

std::optional<Check> securelevel(int level) {
    if (level <= 0) return std::nullopt;
    return Check{.name = "securelevel",
                 .state = level >= 3 ? CheckState::problem : CheckState::warning,
                 .detail = level >= 3 ? "3: neither can a module be loaded nor a rule of pf(4) be changed"
                                      : fmt::format("{}: no module can be loaded any more", level),
                 .remedy = level >= 3 ? "sysrc kern_securelevel=2 && shutdown -r now"
                                      : R"(sysrc kld_list+="if_epair if_bridge nullfs tmpfs fdescfs procfs pf")"};
}

Check forwarding(const Forwarding& what, std::optional<int> value) {
    Check check{.name = what.check};
    if (!value) {
        check.state = CheckState::warning;
        check.detail = "this kernel has none";
    } else if (*value == 0) {
        check.state = CheckState::warning;
        check.detail = "off: jails reach their own network and this host only";
        check.remedy = fmt::format("sysctl {}=1 && sysrc {}=YES", what.sysctl, what.rc_variable);
    } else {
        check.detail = "on";
    }
    return check;
}

Check bridge_filter(bool members, bool local) {
    Check check{.name = "bridge_pfil"};
    if (!members) {
        check.detail = fmt::format(
            "off: pf does not see what jails of one network send each other, so a jail with a firewall policy does not "
            "start ({})",
            kFilterBridges);
        return check;
    }
    if (local) {
        check.detail = "on: pf sees what jails of one network send each other, and policies are enforced";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = "policies are enforced between jails, but a jail can reach the host with an address of another's";
    check.remedy = fmt::format("sysctl {0}=1 && echo {0}=1 >> /etc/sysctl.conf", kFilterLocal);
    return check;
}

Check devd(std::string_view value, std::span<const std::string> interfaces) {
    if (value.empty()) return {.name = "devd", .detail = "new interfaces of jails are left alone"};
    Check check{.name = "devd",
                .state = CheckState::warning,
                .detail = fmt::format("ifconfig_DEFAULT is \"{}\": devd(8) sets up every interface that appears, the "
                                      "host's ends of jails too",
                                      value)};
    for (const auto& interface : interfaces)
        check.remedy += fmt::format("sysrc ifconfig_{}=\"{}\" && ", interface, value);
    check.remedy += "sysrc -x ifconfig_DEFAULT";
    return check;
}

Check breaches(const Result<void>& listening) {
    if (listening) return {.name = "limit_breaches", .detail = "devd(8) tells of jails that run into a limit"};
    return {
        .name = "limit_breaches",
        .state = CheckState::warning,
        .detail = fmt::format("limits are enforced, but nothing tells when a jail runs into one, as long as devd(8) "
                              "cannot be asked: {}",
                              listening.error().to_string()),
        .remedy = "sysrc devd_enable=YES && service devd start"};
}

Check ipfw(bool on) {
    if (!on) return {.name = "ipfw", .detail = "off"};
    return {.name = "ipfw",
            .state = CheckState::warning,
            .detail = "on: what jails send has to pass it too, and jaild makes rules of pf(4) only",
            .remedy = "let it pass what jails send, or: sysrc firewall_enable=NO && ipfw disable firewall"};
}

}  // namespace jaild::kernel::freebsd::findings
