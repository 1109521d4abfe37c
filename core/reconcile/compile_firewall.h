#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/kernel/jail_rules.h"
#include "core/model/jail.h"
#include "core/model/network.h"

/// From specs to what a packet filter is asked for: names become addresses, defaults become rules. Pure.
namespace jaild::reconcile {

/// What rules, its own and others', need to know of a jail.
struct Resident {
    JailId id;
    std::string name;
    std::map<std::string, std::string> labels;
    std::vector<kernel::Endpoint> endpoints;
    std::vector<model::Publish> publish;
    model::FirewallSpec firewall;
    bool operator==(const Resident&) const = default;
};
using Residents = std::map<JailId, Resident>;

/// As the jail is held to now: addresses that wait for a restart are not in force. One that is being removed has no
/// addresses any more.
Resident resident(const model::Jail& jail, const std::vector<model::Network>& networks);

/// `all` holds the jail itself too.
kernel::JailRules compile_firewall(const Resident& jail, const Residents& all,
                                   const std::vector<model::Network>& networks);

/// Every group that a rule of anybody names, by its key.
std::map<std::string, kernel::GroupUse> compile_groups(const Residents& all,
                                                       const std::vector<model::Network>& networks);

}  // namespace jaild::reconcile
