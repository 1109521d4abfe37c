#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

/// What jaild tells jaild-inside, as arguments, and what that answers, as text. Both come from one build. Pure.
namespace jaild::kernel::freebsd {

/// The jail that is meant. All three are read again right before it is entered.
struct JailReference {
    int jid = 0;
    std::string name;
    std::string path;
    bool operator==(const JailReference&) const = default;
};
std::vector<std::string> to_arguments(const JailReference& jail);
/// Takes three arguments; several jails follow each other.
Result<std::vector<JailReference>> parse_jails(std::span<const std::string> arguments);

/// What a jail's pair is to be, seen from inside.
struct InsideLink {
    std::string host_name;  ///< of the end that is taken out later
    std::string mark;       ///< description of both ends
    std::string host_mac;
    std::string jail_mac;
    unsigned mtu = 1500;
    bool host_end_outside = false;  ///< taken out already
    std::vector<Prefix> addresses;
    std::vector<IpAddress> gateways;
    bool operator==(const InsideLink&) const = default;
};
std::vector<std::string> to_arguments(const InsideLink& link);
Result<InsideLink> parse_link(std::span<const std::string> arguments);

/// One jail as seen from inside.
struct InsideView {
    int jid = 0;
    unsigned ends = 0;      ///< of our pair, in the jail
    bool jail_end = false;  ///< one of them is vnet0; the rest is about that one
    bool up = false;
    unsigned mtu = 0;
    std::vector<Prefix> addresses;  ///< sorted, without link-local
    std::vector<IpAddress> gateways;
    bool operator==(const InsideView&) const = default;
};
/// One line: "view jid=5 ends=1 vnet0=1 up=1 mtu=1500 address=10.0.0.2/24 gateway=10.0.0.1".
std::string to_text(const InsideView& view);
/// All lines, or Errc::corrupt.
Result<std::vector<InsideView>> parse_views(std::string_view text);

/// "jid=5": the jail that was made.
std::string jid_text(int jid);
Result<int> parse_jid_text(std::string_view text);

/// "error 17 name_in_use links: conflict: …": the last line of a run that failed. Reasons that the daemon knows come
/// back as what they were.
std::string to_text(const Error& error);
Error parse_error(std::string_view text);

}  // namespace jaild::kernel::freebsd
