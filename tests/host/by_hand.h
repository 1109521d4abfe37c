#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/host/client.h"

/// What an operator's stray command does to jails behind the daemon's back, by the system's own programs. Each is done
/// when it returns.
namespace jaild::test::by_hand {

/// Linux: its pause process is killed. FreeBSD: jail -R.
void kill_jail(const Client& client, const std::string& name);
/// The host's end of its pair, and with it the other one.
void delete_link(const TestHost& host, const Client& client, const std::string& name);
/// Takes "10.213.0.1" of a /24 from an interface of the host.
void delete_address(const TestHost& host, const std::string& interface, const std::string& address);

/// Whether the bridge keeps the jail's first interface from others.
void set_isolated(const TestHost& host, const Client& client, const std::string& name, NetworkId network,
                  bool isolated);
/// Takes an interface from a bridge.
void leave_bridge(const TestHost& host, const std::string& interface, const std::string& bridge);
/// What the jail's root may do: packets for that address go by the gateway.
void add_detour(const Client& client, const std::string& name, const std::string& address, const std::string& gateway);

/// Although the jail uses it.
void unmount(const std::filesystem::path& target);
/// Two of the mounts of a thin jail's root, relative to the jail's directory.
std::vector<std::string> some_mounts();
/// Where the host sees a thin jail's /usr/local, relative to the jail's directory.
inline constexpr const char* kLocal =
#ifdef __FreeBSD__
    "root/usr/local";
#else
    "local";
#endif

/// All rules of the instance's default network, or as many as leave a trace of where they were.
enum class Rules { some, all };
void delete_rules(const TestHost& host, const Client& client, Rules which);

}  // namespace jaild::test::by_hand
