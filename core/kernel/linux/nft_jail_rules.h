#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/firewall.h"
#include "core/kernel/linux/nft_rules.h"

/// The rules of a jail as nft(8) reads them. Pure.
///
/// Two tables of one name. In the one of family inet, packets that are forwarded, routed or bridged, find the chains of
/// their sender ("j5-out") and receiver ("j5-in") by address in maps of verdicts; groups are named sets, shared by all
/// who name them; a jail that publishes ports has chains for translation of its own. In the one of family bridge, a
/// chain for each host end ("j5-guard0") drops what carries an address that is not the jail's: so an address is an
/// identity.
namespace jaild::kernel::nft {

/// An element of a map or set of ours that belongs to one jail.
struct Entry {
    std::string name;    ///< of the map or set: "ingress4"
    std::string key;     ///< "10.213.0.5", "jk3f9a5a"
    std::string target;  ///< the chain it leads to; empty in a set
    auto operator<=>(const Entry&) const = default;
};

/// Everything that is loaded for one jail.
struct JailText {
    std::vector<Chain> inet;  ///< without type: reached by a map
    std::vector<Chain> bridge;
    std::vector<Entry> entries;                         ///< of the inet table
    std::vector<Entry> ports;                           ///< of the bridge table
    std::map<std::string, std::set<std::string>> sets;  ///< members of its groups, by the names of their sets
};
JailText jail_text(const InstanceId& instance, const JailRules& rules);

/// The set of a group for one family: readable, then a hash of its key.
std::string set_name(const std::string& key, Family family);

/// What all jails share, in both tables; whatever was there of it is replaced.
std::string shared_commands(const InstanceId& instance);
/// The rules of the shared chains with their comments, by name: what shared_commands() loads.
std::vector<Chain> shared_inet(const InstanceId& instance);
std::vector<Chain> shared_bridge(const InstanceId& instance);

/// What the tables had of a jail and `wanted` has not.
struct Stale {
    std::vector<std::string> inet_chains;
    std::vector<std::string> bridge_chains;
    std::vector<Entry> entries;
    std::vector<Entry> ports;
};
/// One transaction's part: replaces what is loaded of the jail. Shared objects are there already, or come before it.
std::string load_commands(const InstanceId& instance, const JailText& wanted, const Stale& stale);
/// A group's members of one family, replaced. `members` empty is an empty set.
std::string set_commands(const InstanceId& instance, const std::string& set, const std::set<std::string>& members);
/// Members of that family as nft(8) writes them.
std::set<std::string> members_of(const Group& group, Family family);

/// The jail to which a chain of our tables belongs; 0 for a name that we would not have written.
JailId jail_of(std::string_view chain);

/// What a comment of ours says its rule counts for; nothing for one that counts for no rule of the user's.
std::optional<RuleCount> counted(std::string_view comment);

}  // namespace jaild::kernel::nft
