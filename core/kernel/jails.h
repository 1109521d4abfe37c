#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/scope.h"
#include "core/model/jail_spec.h"

namespace jaild::kernel {

/// What the kernel is given when a jail is made.
struct JailParameters {
    JailId id;
    model::Name name;
    std::string hostname;
    model::NetworkMode mode = model::NetworkMode::vnet;
    std::optional<int> devfs_ruleset{};  ///< nothing: the driver's choice
    std::vector<std::string> devices{};  ///< model::JailSpec::devices, for a kernel whose jails have their own /dev
    model::Parameters parameters{};      ///< "ip4.addr" and "ip6.addr" too, with NetworkMode::alias
    std::string cpus{};                  ///< JailSpec::cpuset: before anything runs there
    model::Limits limits{};  ///< in force already; for a kernel that must be told again with the jail itself
};

/// What the kernel reports, never what we asked for.
struct ObservedJail {
    JailId id;
    std::string name;
    std::int64_t jid = 0;            ///< FreeBSD
    std::int64_t pid = 0;            ///< Linux: the pause process
    bool alive = false;              ///< false: remains of one (a dead container, a namespace without one)
    bool dying = false;              ///< FreeBSD: removed, but something still refers to it
    std::string hostname;            ///< read from inside, empty when not alive
    bool vnet = true;                ///< it has a network stack of its own, not the host's
    model::Parameters parameters{};  ///< only what parameters() was asked for
    bool operator==(const ObservedJail&) const = default;
};

/// Where the host's hooks of a jail's life are. No kernel tells, and none may be forgotten.
enum class HookLife {
    none,    ///< none has begun, or all that was due has run
    begun,   ///< prestart may have begun: poststop is due when this life ends
    ending,  ///< this life is at its end: poststop runs before another one begins
};

/// What we last did to a jail, kept in its directory by rename: a hint that observed parameters outrank.
struct Applied {
    Generation generation = 0;
    Incarnation incarnation = 0;
    bool complete = false;  ///< false: written before the jail was made; true: after the last step
    std::string spec;       ///< JSON of the spec (secrets kept; the file is 0600) that this incarnation was made with
    HookLife hooks = HookLife::none;
    /// The jail's, by which rctl(8) keeps its limits when the jail is gone and its row is lost. Empty in hints of
    /// before.
    std::string name{};
    bool operator==(const Applied&) const = default;
};

/// Jails of this installation. Blocking and idempotent: call on a jail's worker, never on the I/O thread.
class Jails {
public:
    virtual ~Jails() = default;
    /// Also the dying ones (jail_get(2) with JAIL_DYING) and remains.
    virtual Result<std::vector<ObservedJail>> list(Scope scope) = 0;
    /// Errc::conflict "name_in_use" when somebody else's jail has the name (FreeBSD; Linux has no such registry).
    virtual Result<void> check_name(const model::Name& name, JailId id) = 0;
    /// Does this kernel know the spec's parameters and their types and its devfs ruleset, and has this host its
    /// devices? Errc::invalid and Errc::unsupported with field: "no_such_parameter", "wrong_type",
    /// "unsupported_parameter" …
    virtual Result<void> check(const model::JailSpec& spec) = 0;
    /// What those of a living jail are now, by the names given. Left out: what this kernel does not know, all of a jail
    /// that is gone.
    virtual Result<model::Parameters> parameters(JailId id, const std::vector<std::string>& names) = 0;
    /// Makes an empty, persistent jail with its own network stack (no interface but lo0, which is up), or with the
    /// host's. Its root is mounted and its shim holds it already. Nothing of the user's runs in it yet.
    virtual Result<void> create(const JailParameters& parameters) = 0;
    /// Live parameters: the hostname, and those of `parameters` that model::only_at_creation() does not name.
    virtual Result<void> update(const JailParameters& parameters) = 0;
    /// Kills everything in the jail and removes it with its network stack, remains too. Returns when it is gone or
    /// dying. Errc::busy when processes will not end (uninterruptible).
    virtual Result<void> remove(JailId id) = 0;

    /// The hint of one jail; a missing one, or one that makes no sense, is a default Applied.
    virtual Result<Applied> applied(JailId id) = 0;
    virtual Result<void> record(JailId id, const Applied& applied) = 0;
};

}  // namespace jaild::kernel
