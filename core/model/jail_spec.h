#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/base/units.h"
#include "core/model/dependencies.h"
#include "core/model/health.h"
#include "core/model/hooks.h"
#include "core/model/lifetime.h"
#include "core/model/limits.h"
#include "core/model/mount_spec.h"
#include "core/model/name.h"
#include "core/model/parameters.h"
#include "core/model/policy.h"
#include "core/model/restart.h"

/// What a user asks for. Plain values; equality is what "changed" means.
namespace jaild::model {

enum class RootKind {
    thin,   ///< the template's programs read-only, everything else private
    clone,  ///< a ZFS clone of the template
    copy,   ///< the whole template, private
    path,   ///< the user's own directory
};

/// What a root's file system keeps for it, where the root is one of its own. All of it is live.
struct Storage {
    Bytes quota{};        ///< its own files take up at most this; 0: no limit
    Bytes reservation{};  ///< so much is kept free for them; at most the quota; 0: nothing
    std::string
        compression;  ///< as zfsprops(7) lists it, as zfs-get(8) spells it; empty: as the configuration's parent
    bool operator==(const Storage&) const = default;
};

struct RootSpec {
    RootKind kind = RootKind::thin;
    std::string path;  ///< only for RootKind::path: absolute, normalized, not "/"
    Storage storage{};
    bool operator==(const RootSpec&) const = default;
};

enum class NetworkMode {
    vnet,
    alias,    ///< the host's network stack, of which it sees addresses of its own
    inherit,  ///< the host's own network stack
    none,     ///< a network stack with nothing but lo
};

std::string_view to_string(NetworkMode mode);

struct InterfaceSpec {
    std::string network = "default";  ///< empty with alias
    std::string interface;            ///< only with alias: of the host
    /// Static ones, at most one of each family, within the network. A family without one is assigned from the network.
    /// With alias: all that the jail has there, at least one.
    std::vector<Prefix> addresses;
    bool dhcp = false;   ///< JSON: "ipv4": "dhcp". Its IPv4 address comes from a server on its network, none from us
    bool slaac = false;  ///< JSON: "ipv6": "slaac". Its IPv6 addresses come by router advertisements (RFC 4862)
    std::string mac;     ///< lower case, "06:00:00:00:00:01"; empty: jaild's own, which begin with 02
    unsigned mtu = 0;    ///< inside, at most the network's; 0: the network's
    std::string name;    ///< inside; empty: "vnet" and its place in the list
    [[nodiscard]] bool learns_any() const { return dhcp || slaac; }
    bool operator==(const InterfaceSpec&) const = default;
    /// The name inside.
    [[nodiscard]] std::string name_at(std::size_t index) const;
    /// Who is on the network says which addresses of that family it has.
    [[nodiscard]] bool learns(Family family) const { return family == Family::ipv4 ? dhcp : slaac; }
};

struct NetworkSpec {
    NetworkMode mode = NetworkMode::vnet;
    std::vector<InterfaceSpec> interfaces{InterfaceSpec{}};  ///< 1 to kMaxInterfaces with vnet and alias, else none
    std::vector<IpAddress> nameservers;                      ///< empty: the host's own that a jail can reach
    std::vector<std::string> search;
    /// One of its interfaces gets its address from a DHCP server.
    [[nodiscard]] bool asks_dhcp() const { return std::ranges::any_of(interfaces, &InterfaceSpec::dhcp); }
    bool operator==(const NetworkSpec&) const = default;
};

/// A value of the environment. A secret one is write-only: it is never in a GET, plan, event, audit row or log.
struct EnvValue {
    std::string value;
    bool secret = false;
    bool operator==(const EnvValue&) const = default;
};
using Environment = std::map<std::string, EnvValue>;

struct ExecSpec {
    std::vector<std::string> start;  ///< run in the jail once it is made, before `command`; must exit 0
    std::vector<std::string> stop;   ///< run in the jail before it is removed
    Hooks hooks{};                   ///< run on the host: an admin's to choose (JSON: beside `start` and `stop`)
    Milliseconds timeout{60'000};    ///< of each of those, and of the command's SIGTERM at a stop (JSON: seconds)
    std::string user = "root";       ///< a name or number of the jail's own passwd
    std::string directory = "/";
    Environment env;
    bool operator==(const ExecSpec&) const = default;
};

struct JailSpec {
    bool running = true;
    /// JSON: "template"; empty with RootKind::path. As it was asked for, with its exact version once it is stored.
    std::string template_name = "host";
    RootSpec root;
    std::string hostname;  ///< empty: the jail's name
    NetworkSpec network;
    std::vector<Publish> publish;  ///< only with NetworkMode::vnet
    FirewallSpec firewall;         ///< none with NetworkMode::alias and ::inherit
    Limits limits;
    std::string cpuset;  ///< processors that it may run on, as model::to_string(Cpus); empty: all
    std::vector<MountSpec> mounts;
    /// How many of each series are kept: "hourly", "daily", "weekly", "monthly". Empty: nobody takes any by itself.
    std::map<std::string, unsigned> snapshots;
    std::vector<std::string> devices;   ///< that its /dev shows beyond the usual ones: see parse_devices()
    std::optional<int> devfs_ruleset;   ///< nothing: jaild's choice; never 0, which would show every device
    std::vector<std::string> datasets;  ///< of ZFS, that it is given to manage: see parse_datasets()
    Parameters parameters;
    ExecSpec exec;
    std::vector<std::string> command;        ///< the supervised main process; empty: none
    RestartSpec restart;                     ///< of a jail with a command
    unsigned priority = 50;                  ///< 0 … 99: at a boot the smaller is begun first, at a shutdown last
    std::optional<HealthSpec> health{};      ///< nothing: nobody asks whether it works
    std::vector<Dependency> depends_on;      ///< other jails, which run before it starts
    std::optional<EphemeralSpec> ephemeral;  ///< it goes when nobody needs it; all of it is live
    Milliseconds ttl{0};  ///< it goes so long after it was made, or after this was set; 0: never. Live
    std::map<std::string, std::string> labels;
    /// What its exec.start leaves running is what it is for: when all of that has ended, it has.
    [[nodiscard]] bool is_system() const { return command.empty() && !exec.start.empty(); }
    /// Its end is answered by the restart policy.
    [[nodiscard]] bool is_supervised() const { return !command.empty() || is_system(); }
    bool operator==(const JailSpec&) const = default;
};

/// How many of each a spec may hold; each is tested.
struct SpecLimits {
    static constexpr std::size_t argv_elements = 256;
    static constexpr std::size_t argv_bytes = 64 * 1024;
    static constexpr std::size_t env_entries = 256;
    static constexpr std::size_t env_name_bytes = 253;
    static constexpr std::size_t env_value_bytes = 32 * 1024;
    static constexpr std::size_t user_bytes = 32;  ///< MAXLOGNAME of FreeBSD less one; LOGIN_NAME_MAX is larger
    static constexpr unsigned priority = 99;
    static constexpr std::size_t depends_on = 64;
    static constexpr std::size_t labels = 64;
    static constexpr std::size_t label_bytes = 253;  ///< of a key or of a value
    static constexpr std::size_t path_bytes = 1023;  ///< MAXPATHLEN of FreeBSD less one
    static constexpr std::size_t hostname_bytes = 63;
    static constexpr std::size_t nameservers = 3;  ///< resolv.conf(5) MAXNS
    static constexpr std::size_t search_domains = 6;
    static constexpr std::size_t mounts = 64;
    static constexpr std::size_t mount_options = 16;
    static constexpr std::size_t devices = 64;
    static constexpr std::size_t device_bytes = 63;  ///< SPECNAMELEN of FreeBSD 14 is 255, of its rules 199
    static constexpr std::size_t datasets = 16;
    static constexpr std::size_t dataset_bytes = 255;  ///< zfsprops(7): ZFS_MAX_DATASET_NAME_LEN less the NUL
    static constexpr std::size_t aliases = 255;  ///< of all interfaces; security.jail.jail_max_af_ips of FreeBSD 14
    static constexpr std::size_t interface_name_bytes = 15;  ///< IFNAMSIZ less the NUL, both systems
    static constexpr std::int64_t mtu_least = 1280;          ///< RFC 8200 §5
    static constexpr std::int64_t mtu_most = 65'535;
    static constexpr std::int64_t timeout_seconds = 86'400;
    static constexpr unsigned snapshots = 200;  ///< of one series
};

/// What a new jail is asked for: its name beside the spec's fields in one flat object.
struct NamedSpec {
    Name name;
    JailSpec spec;
};

/// Reads a spec. Unknown fields, wrong types and values out of bounds are Errc::invalid with their JSON pointer; all
/// other fields get their defaults. Reasons: "unknown_field", "wrong_type", "missing_field", "too_long", "too_many",
/// "invalid_value", "invalid_name", "invalid_path", "invalid_address", "invalid_prefix", "invalid_port",
/// "template_with_path_root", "path_without_path_root", "reservation_above_quota", "invalid_version", "learned_address"
/// (a static one beside DHCP or SLAAC, or a port or policy that needs to know it). Words that a later version will know
/// are Errc::unsupported: "unsupported_network_mode". Checks what can be known without
/// the host or other jails.
Result<JailSpec> parse_spec(const nlohmann::json& object);
Result<NamedSpec> parse_named_spec(const nlohmann::json& object);

enum class Secrets { hide, keep };
/// All fields, defaults too; `template` is "" with RootKind::path, `root.path` is only there with it, `devfs_ruleset`
/// and what `root` says of storage only when somebody chose one. With Secrets::hide a secret value reads {"secret":
/// true}; Secrets::keep is for the store, and what parse_spec reads back as the same spec.
nlohmann::json to_json(const JailSpec& spec, Secrets secrets);

/// RFC 7396 on the JSON of `current`, then parse_spec: null sets a field to its default. A secret that comes back as
/// {"secret": true} keeps its value. Another network mode without interfaces beside it starts from that mode's default
/// interfaces. The latest of the template that the jail has is the version that it has. A patch of `name` is
/// Errc::invalid "immutable_field"; this one does not look at template and root.
Result<JailSpec> merge_patch(const JailSpec& current, const nlohmann::json& patch);
/// For PUT: `replacement` as given, but a secret without value keeps the one of `current`, and a template without
/// version the version of `current`.
Result<JailSpec> replace(const JailSpec& current, const nlohmann::json& replacement);

/// What `to` asks of the host's own network stack that `from` does not: an admin's to choose. Nothing, most often.
std::optional<std::string> network_for_admins(const JailSpec& from, const JailSpec& to);

/// The first hook in which they differ, JSON pointer: what runs on the host as root is an admin's to change.
std::optional<std::string> hook_changed(const JailSpec& from, const JailSpec& to);

/// Both with NetworkMode::alias, and nothing else about a family changes: a running jail takes other interfaces and
/// addresses at once.
bool addresses_are_live(const JailSpec& from, const JailSpec& to);

/// JSON pointers of the fields in which two specs differ and which a running jail takes only at its next start.
std::vector<std::string> restart_fields_changed(const JailSpec& from, const JailSpec& to);
/// Errc::invalid "immutable_field" when a field differs that is fixed at creation: template, root.
Result<void> check_immutable(const JailSpec& from, const JailSpec& to);

}  // namespace jaild::model
