#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/model/network.h"

/// A network's anchor as pfctl(8) reads and shows it (pf.conf(5)). Pure.
namespace jaild::kernel::freebsd::pf {

/// An interface of the host by which packets can leave for elsewhere, and the families that it has an address of; a
/// link-local one does not count, because pf takes none as "(name:0)".
struct Uplink {
    std::string name;
    bool ipv4 = false;
    bool ipv6 = false;
    bool operator==(const Uplink&) const = default;
};

/// Rules in the form in which pfctl -sn and -sr show them.
struct Rules {
    std::vector<std::string> nat;
    std::vector<std::string> filter;  ///< each with a label: mark, place, hash of its text
    bool operator==(const Rules&) const = default;
};

/// The default policy: a jail answers only to its own network and the host's address in it, may go anywhere, and only
/// by its network's addresses. Every filter rule names the bridge. What `quick` refuses, no later rule of the host's
/// lets through; what is let through, the host's later rules may still refuse. Names that pf.conf(5) could read as
/// something else, and the network's own bridge, are no uplinks. On a bridge of the host's own nothing is filtered: it
/// has members that are not ours.
Rules network_rules(const InstanceId& instance, const model::Network& network, const std::vector<Uplink>& uplinks);

/// What `pfctl -a ANCHOR -f -` is given: translation first, as pf.conf(5) wants it.
std::string anchor_text(const Rules& rules);

/// Do the answers to -sn and -sr show these rules, all of them and no other? NAT rules by their text, filter rules by
/// their labels: how the rest is shown differs from release to release.
bool shows(const Rules& rules, std::string_view nat, std::string_view filter);

/// The networks of this installation among the anchors that `pfctl -v -s Anchors` lists.
std::vector<NetworkId> networks(const InstanceId& instance, std::string_view anchors);

/// "Status: Enabled …" in the answer to -s info.
bool is_enabled(std::string_view info);
/// Which of the three lines that evaluate our anchors the answers to -sn and -sr of the main ruleset lack. One that is
/// restricted ("on em0") does not count.
std::vector<std::string> missing_lines(std::string_view nat, std::string_view filter);
/// pfctl(8) failed because somebody else loads rules at this moment.
bool is_busy(std::string_view error_output);

}  // namespace jaild::kernel::freebsd::pf
