#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/kernel/links.h"

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

/// What one of a jail's pairs is to be, seen from inside.
struct InsideLink {
    unsigned index = 0;
    std::string name;       ///< of the jail's end
    std::string host_name;  ///< of the end that is taken out later
    std::string mark;       ///< description of both ends
    std::string host_mac;
    std::string jail_mac;
    unsigned mtu = 1500;            ///< of the jail's end
    bool host_end_outside = false;  ///< taken out already
    std::vector<Prefix> addresses;
    std::vector<IpAddress> gateways;
    Learns slaac = Learns::nothing;
    bool dhcp = false;  ///< IPv4 addresses and default routes that are there stay
    bool operator==(const InsideLink&) const = default;
};
/// Its index alone.
Result<unsigned> parse_link_index(std::string_view argument);
std::vector<std::string> to_arguments(const InsideLink& link);
Result<InsideLink> parse_link(std::span<const std::string> arguments);

/// One of a jail's pairs as seen from inside.
struct InsideEnd {
    unsigned index = 0;
    unsigned ends = 0;  ///< in the jail
    std::string name;   ///< of the jail's end, which the rest is about; empty while both are in the jail. The jail's
                        ///< root may call it anything: what is no letter, digit, '.', '-' or '_' is written as '?'
    bool up = false;
    unsigned mtu = 0;
    std::string mac{};
    bool advertised = false;        ///< it takes addresses from router advertisements
    std::vector<Prefix> addresses;  ///< sorted, without link-local
    std::vector<IpAddress> gateways;
    bool operator==(const InsideEnd&) const = default;
};
std::string safe_name(std::string_view name);

/// One jail as seen from inside.
struct InsideView {
    int jid = 0;
    std::vector<InsideEnd> links;  ///< those of which there is anything
    bool operator==(const InsideView&) const = default;
    /// That of this index, or nullptr.
    [[nodiscard]] const InsideEnd* link(unsigned index) const;
};
/// One line: "view jid=5 link=0 ends=1 name=vnet0 up=1 mtu=1500 address=10.0.0.2/24 gateway=10.0.0.1 link=1 …".
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
