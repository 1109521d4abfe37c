#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/kernel/mounts.h"
#include "core/kernel/scope.h"
#include "core/model/jail.h"
#include "core/model/jail_spec.h"

namespace jaild::kernel {

/// A line of hosts(5).
struct HostEntry {
    IpAddress address;
    std::vector<std::string> names;  ///< without spaces; at least one
    bool operator==(const HostEntry&) const = default;
};

struct RootParameters {
    JailId id;
    model::Name name;
    model::RootSpec root;
    std::string template_name;  ///< "host", or with its exact version
    std::string hostname;
    model::NetworkMode mode = model::NetworkMode::vnet;
    std::vector<Prefix> addresses;
    std::vector<IpAddress> nameservers;
    std::vector<std::string> search;
    std::vector<std::string> devices{};     ///< model::JailSpec::devices, for a kernel that mounts /dev
    std::optional<int> devfs_ruleset{};     ///< nothing: the driver's choice
    bool bpf = false;                       ///< FreeBSD: /dev shows bpf(4) too, for a DHCP client in the jail
    std::vector<HostEntry> neighbours{};    ///< other jails that this one finds by name
    std::optional<model::JailBase> base{};  ///< of all roots but those of template `host` and of kind `path`
};

/// What a root has of storage.
struct ObservedStorage {
    JailId id;
    bool known = false;  ///< false: the root is in no file system of its own, is not made yet, or cannot be asked
    model::Storage storage{};
    bool operator==(const ObservedStorage&) const = default;
};

/// A jail's root directory and what is generated in it (DESIGN "Template host"). Blocking, idempotent.
class Roots {
public:
    virtual ~Roots() = default;
    /// Ids of all jails that have a directory `<state>/jails/<id>`.
    virtual Result<std::vector<JailId>> list() = 0;
    /// True when prepare() was finished once for this jail.
    virtual Result<bool> prepared(JailId id) = 0;
    /// Can this root be made on this host? `template_name` as in RootParameters; whether there is such a template is
    /// not looked at. Errc::invalid with field (/root/path is no directory, is "/", holds the state directory;
    /// "template_unknown" for one without a version; "host_is_thin_only"), Errc::unsupported with remedy
    /// ("storage_unsupported": nothing here limits or keeps room for a root).
    virtual Result<void> check(const model::RootSpec& root, const std::string& template_name) = 0;
    /// Can a root of kind `clone` be made of that template, once check() has allowed it? Errc::unsupported
    /// "template_not_clonable" when the template is no dataset of the same pool.
    [[nodiscard]] virtual Result<void> check_clone(TemplateId of) const = 0;
    /// Can the root of a jail that there is have this storage? Errc::unsupported "storage_unsupported" with field.
    [[nodiscard]] virtual Result<void> check_storage(JailId id, const model::Storage& storage) = 0;
    /// One entry for each of `jails`, in their order.
    virtual Result<std::vector<ObservedStorage>> storage(const std::vector<JailId>& jails) = 0;
    /// Exactly this of a root that is made; the jail may run. Errc::conflict "quota_below_use"; Errc::exhausted
    /// "reservation_too_large".
    virtual Result<void> set_storage(JailId id, const model::Storage& storage) = 0;
    /// Makes the private directories and the template's /etc, or copies them from the imported template: what a crash
    /// left half-made is made anew, what was finished once stays as it is. Errc::not_found "template_missing";
    /// Errc::exhausted, with nothing left behind. A `path` root is only checked, never written to.
    virtual Result<void> prepare(const RootParameters& parameters) = 0;
    /// Rewrites what follows the spec at each start: hosts, hostname, resolv.conf. Not for `path` roots.
    virtual Result<void> refresh(const RootParameters& parameters) = 0;
    /// Rewrites the hosts of a jail that runs, when they are not so already; lines that its root added stay. Nothing
    /// for `path` roots.
    virtual Result<void> write_hosts(const RootParameters& parameters) = 0;
    /// What must be mounted for this root, in order; the same answer as long as host and parameters are the same.
    virtual Result<std::vector<Mount>> mounts(const RootParameters& parameters) = 0;
    /// Deletes `<state>/jails/<id>` whole, never across a mount (Errc::busy), never a `path` root.
    virtual Result<void> remove(JailId id) = 0;
};

}  // namespace jaild::kernel
