#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/firewall.h"
#include "core/kernel/freebsd/pure/pf_rules.h"

/// A jail's anchor as pfctl(8) reads and shows it (pf.conf(5)). Pure.
///
/// What pf(4) sees of a jail's packets: those to another port of the bridge come in on the sender's host end and go out
/// by the receiver's (with net.link.bridge.pfil_member); those to and from the host, routed ones too, come in on the
/// bridge and go out by it. So a jail's egress is asked where packets come in, its ingress where they go out, in both
/// places. A state that was made on the way in never lets the same packet out: the one direction's decision does not
/// stand for the other's.
namespace jaild::kernel::freebsd::pf {

struct JailAnchor {
    std::map<std::string, std::vector<std::string>> tables;  ///< members as pfctl(8) takes them, sorted
    Rules rules;  ///< `nat` holds the rdr rules too, after those; labels say which rule of the user's, place and hash
    bool operator==(const JailAnchor&) const = default;
};

/// `interfaces`: those of the host by which a client of a published port comes, with the bridges.
JailAnchor jail_anchor_rules(const InstanceId& instance, const JailRules& rules,
                             const std::vector<std::string>& interfaces);

/// What `pfctl -a ANCHOR -f -` is given: tables, then translation, then filter rules.
std::string anchor_text(const JailAnchor& anchor);

/// The table of a group, in each anchor that names it: readable, then a hash of its key; at most 31 characters.
std::string group_table(const std::string& key);
/// A table's members as pfctl(8) takes and shows them: a host without its length.
std::vector<std::string> table_members(const std::vector<Prefix>& members);

/// "table <own0> { 10.213.0.2 }" with its line's end.
std::string table_text(const std::string& name, const std::vector<std::string>& members);

/// The jails of this installation among the anchors that `pfctl -v -s Anchors` lists.
std::vector<JailId> jails(const InstanceId& instance, std::string_view anchors);

/// The rules of each anchor beneath "jaild" in what `pfctl -a '*' -s rules` prints, without their indentation, by the
/// anchor's whole path.
std::map<std::string, std::string> by_anchor(std::string_view shown);

/// What the rules of a jail have counted, by the answer to -v -s rules: each rule of `rules` once, in order.
std::vector<RuleCount> counts(const JailRules& rules, std::string_view shown);

}  // namespace jaild::kernel::freebsd::pf
