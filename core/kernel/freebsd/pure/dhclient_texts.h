#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"
#include "core/kernel/links.h"

/// What is said to a jail's dhclient(8), and how it is known. Pure.
namespace jaild::kernel::freebsd {

/// One that is to run in a jail.
struct DhcpClient {
    std::string interface;      ///< there
    std::string mark;           ///< in its environment, "JAILD_LINK=…": whose it is
    std::string configuration;  ///< dhclient.conf(5)
    bool operator==(const DhcpClient&) const = default;
};

/// Of an interface that learns its IPv4 addresses.
DhcpClient dhcp_client(const InstanceId& instance, const LinkParameters& parameters);

/// "JAILD_LINK=k3f9a-12-0". What the kernel shows of a process's environment: entries with a NUL behind each.
std::string client_mark(const InstanceId& instance, LinkId id);
bool has_mark(std::string_view environment, std::string_view mark);

/// dhclient(8) is two processes that need each other, and one that writes its log for them. The one that may do
/// something says so in its title: "dhclient: vnet0 [priv]".
bool is_privileged_client(std::string_view title);

}  // namespace jaild::kernel::freebsd
