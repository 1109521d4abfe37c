#include "core/kernel/linux/network_checks.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/kernel/linux/advertised_routes.h"
#include "core/kernel/linux/nftables.h"
#include "core/kernel/linux/sysctl.h"
#include "core/kernel/names.h"

namespace jaild::kernel {
namespace {

using model::Check;
using model::CheckState;
using nlohmann::json;

std::string text(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Check forwarding_check(const char* name, const char* value) {
    Check check{.name = name};
    const auto on = sysctl::read(value);
    if (!on) {
        check.state = CheckState::warning;
        check.detail = "this kernel has none: " + on.error().detail;
    } else if (*on == "0") {
        check.state = CheckState::warning;
        check.detail = "off: jails reach their own network and this host only";
        check.remedy = fmt::format("sysctl -w {}=1", value);
    } else {
        check.detail = "on";
    }
    return check;
}

Check advertisement_check() {
    Check check{.name = "router_advertisements"};
    const auto names = routes_lost_by_forwarding();
    if (!names) {
        check.state = CheckState::warning;
        check.detail = names.error().to_string();
        return check;
    }
    if (names->empty()) {
        check.detail = "IPv6 forwarding takes no default route away";
        return check;
    }
    check.state = CheckState::warning;
    check.detail =
        "with IPv6 forwarding on, this host loses the IPv6 default route that it has by advertisement; it is not "
        "switched on as long as that is so on";
    for (const auto& name : *names) check.detail += ' ' + name;
    check.remedy = keep_routes_remedy(*names);
    return check;
}

/// A base chain that drops what is forwarded unless a rule of its own accepts it.
bool drops_forwarded(const json& chain, const std::string& own_table) {
    return text(chain, "hook") == "forward" && text(chain, "policy") == "drop" && text(chain, "table") != own_table;
}

}  // namespace

std::vector<Check> check_forwarding() {
    return {forwarding_check("ipv4_forwarding", "net/ipv4/ip_forward"),
            forwarding_check("ipv6_forwarding", "net/ipv6/conf/all/forwarding"), advertisement_check()};
}

Check check_bridge_filter() {
    Check check{.name = "bridge_netfilter"};
    std::string values;
    for (const char* name : {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"}) {
        const auto on = sysctl::read(name);
        if (on && *on != "0") values += fmt::format(" {}=0", name);
    }
    if (values.empty()) {
        check.detail = "traffic between jails of one network stays on its bridge, where jaild's rules alone see it";
        return check;
    }
    check.state = CheckState::warning;
    check.detail =
        "traffic between jails of one network also passes this host's packet filter (br_netfilter), which may drop it; "
        "Docker and Kubernetes want it so";
    check.remedy = "sysctl -w" + values;
    return check;
}

Check check_forward_policy(const InstanceId& instance) {
    Check check{.name = "forward_policy"};
    const auto chains = nft::list("list chains");
    if (!chains) {
        check.state = CheckState::warning;
        check.detail = chains.error().to_string();
        return check;
    }
    for (const auto& entry : *chains) {
        if (!entry.is_object() || !entry.contains("chain") || !drops_forwarded(entry["chain"], nft_table(instance))) {
            continue;
        }
        const auto& chain = entry["chain"];
        const auto place = fmt::format("{} {} {}", text(chain, "family"), text(chain, "table"), text(chain, "name"));
        const auto ours = "j" + instance.text() + "*";
        check.state = CheckState::warning;
        check.detail += fmt::format(
            "{}chain {} drops forwarded packets that it does not know: jails may not reach "
            "the outside",
            check.detail.empty() ? "" : "; ", place);
        check.remedy += fmt::format(
            R"({0}nft 'insert rule {1} iifname "{2}" accept; insert rule {1} oifname "{2}" ct state established,related accept')",
            check.remedy.empty() ? "" : " && ", place, ours);
    }
    if (check.detail.empty()) check.detail = "no other table drops what jails send out";
    return check;
}

}  // namespace jaild::kernel
