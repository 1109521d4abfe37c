#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/kernel/jail_rules.h"
#include "core/kernel/jails.h"
#include "core/kernel/links.h"
#include "core/kernel/memory/parameter_table.h"
#include "core/kernel/mounts.h"
#include "core/kernel/processes.h"
#include "core/kernel/roots.h"
#include "core/model/network.h"

/// Everything that survives a crash of the daemon: the kernel's objects and the files beneath its state directory.
/// Plain values, so that a test can copy the whole and look at it.
namespace jaild::kernel::memory {

/// What somebody else has on this machine. No port call may change any of it.
struct Foreign {
    std::vector<std::string> jails{"mail"};
    std::map<std::string, std::string> interfaces{{"em0", ""}, {"em1", ""},           {"lo0", ""},
                                                  {"lo1", ""}, {"bridge0", "office"}, {"epair7a", "jail mail"}};
    std::vector<Alias> addresses{{"em0", *Prefix::parse("192.0.2.1/24")}, {"em0", *Prefix::parse("2001:db8::1/64")}};
    std::vector<std::string> mounts{"/", "/home", "/jails/mail/dev"};
    std::vector<std::string> rules{"block in on em0"};
    /// Sockets of the host that listen: "tcp 192.0.2.1:22".
    std::vector<model::Publish> sockets{};
    bool operator==(const Foreign&) const = default;
};

enum class JailLife {
    half,  ///< made but not yet configured: a daemon died there; a remain
    alive,
    dead,   ///< its processes are gone, the object is not
    dying,  ///< removed, but something refers to it still; keeps its network stack
};

struct Prison {
    JailId id{};
    std::string name{};
    std::int64_t jid = 0;
    JailLife life = JailLife::half;
    int lingers = 0;  ///< observations for which it will be dying
    std::string hostname{};
    model::NetworkMode mode = model::NetworkMode::vnet;
    std::optional<int> devfs_ruleset{};
    std::vector<std::string> devices{};
    std::string cpus{};                                    ///< empty: all
    std::map<std::string, ParameterSetting> parameters{};  ///< those that were ever set
    std::set<std::string> datasets{};                      ///< that it was given
    std::map<std::string, std::uint64_t> breaches{};       ///< of limits, by resource
    bool hint_lost = false;                                ///< somebody deleted what says what it was made with
};

/// The two ends of one cable. It is made inside a vnet and destroyed with that.
struct Pair {
    LinkId owner{};
    std::int64_t jid = 0;     ///< whose vnet it was made in
    std::string host_name{};  ///< "epair3a" until it is renamed; the unit says which interface it is for
    std::string host_mark{};
    bool taken_out = false;  ///< the host end is on the host
    std::string jail_name{};
    std::string jail_mark{};
    bool host_up = false;
    bool jail_up = false;
    NetworkId bridge{};
    std::string host_bridge{};  ///< or one of the host's
    bool isolated = false;      ///< there
    unsigned mtu = 1500;
    unsigned jail_mtu = 1500;
    std::string jail_mac{};  ///< empty: the one that we give by ourselves
    Learns slaac = Learns::nothing;
    Learns dhcp = Learns::nothing;
    bool client = false;  ///< a DHCP client lives for it; it goes with the pair
    std::vector<Prefix> addresses{};
    std::vector<IpAddress> gateways{};
};

struct Bridge {
    std::string name{};
    std::string mark{};
    bool up = false;
    unsigned mtu = 1500;
    std::vector<Prefix> addresses{};
    std::string uplink{};   ///< as its mark says
    unsigned vlan = 0;      ///< of it
    bool uplinked = false;  ///< that is a member of it
};

struct MountPoint {
    JailId id{};
    Mount mount{};
    bool in_use = false;  ///< by the processes of the jail
};

struct Shim {
    bool known = false;  ///< it was started once: it left files
    bool alive = false;
    std::int64_t pid = 0;
    CommandState command = CommandState::none;
    std::int64_t command_pid = 0;
    bool all = false;  ///< the command is all that lives in the jail
    std::optional<model::LastExit> last_exit{};
    bool start_done = false;
    model::HookSet hooks_done{};
    Clock::Monotonic command_began{};
    std::size_t commands_started = 0;  ///< ever, for counting: no real shim remembers it
};

struct SnapshotCopy {
    std::int64_t content = 0;
    bool whole = false;
};

/// `<state>/jails/<id>`.
struct Directory {
    bool tree = false;  ///< the private directories
    bool etc = false;   ///< what is in them: all of it, from an imported template
    bool prepared = false;
    std::int64_t content = 0;  ///< what the jail made of its root; somebody's hand changes it
    std::map<SnapshotId, SnapshotCopy> snapshots{};
    std::optional<std::int64_t> restored{};  ///< copied whole, to become the root
    SnapshotId upgraded{};                   ///< the mark of the last upgrade
    model::RootSpec root{};
    std::string generated{};              ///< what refresh() wrote
    std::vector<HostEntry> neighbours{};  ///< what refresh() or write_hosts() wrote of other jails
    std::optional<Applied> applied{};
    std::vector<Alias> aliases{};  ///< that the jail was given, written down before they were
    std::int64_t aliases_boot = 0;
    Shim shim;
    std::string log{};
    model::HookSet hooks_begun{};  ///< since the last poststop: what the host has of this life of the jail
};

/// Rules as they were loaded.
struct LoadedRules {
    model::Network network;
    bool spoiled = false;  ///< somebody removed a part of them
    std::string anchor{};
};

/// The same of a jail: an anchor of its own, with a table for each group.
struct LoadedJailRules {
    JailRules rules;
    bool spoiled = false;
};

struct State {
    std::vector<Prison> prisons{};
    std::vector<Pair> pairs{};
    std::vector<Bridge> bridges{};
    std::vector<Alias> host_addresses{};  ///< on the host's interfaces, by our hand
    std::int64_t boot = 1;
    std::vector<MountPoint> mounts{};  ///< in the order of mounting
    std::map<JailId, Directory> directories{};
    std::set<std::string> jailed_datasets{};  ///< jailed=on: the host mounts nothing of them
    std::set<TemplateId> lost_templates{};    ///< somebody deleted their trees; all others are there
    std::map<NetworkId, LoadedRules> rules{};
    std::map<JailId, LoadedJailRules> jail_rules{};
    /// By the name of a jail, which may not exist yet, or not any more: rctl(8) keeps them all the same.
    std::map<std::string, std::vector<model::LimitRule>> limits{};
    bool racct = true;  ///< kern.racct.enable of this boot
    bool forwarding4 = false;
    bool forwarding6 = false;
    Foreign foreign;
    std::int64_t last_jid = 0;
    std::int64_t last_pid = 100;
    std::int64_t last_unit = 20'000;
};

/// One line for each rule, published port and group.
std::string describe(const JailRules& rules);

/// Canonical text of all that is ours, without pids, jids, units, times and the instance: equal for two ways to the
/// same end.
std::string describe(const State& state, const InstanceId& instance);

}  // namespace jaild::kernel::memory
