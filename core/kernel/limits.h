#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/model/limits.h"
#include "core/model/name.h"

namespace jaild::kernel {

/// Whose limits: a kernel keeps them by the jail's name (rctl(8), where they come before the jail and outlive it) or by
/// our id (control groups).
struct LimitSubject {
    JailId id;
    model::Name name;
    model::Limits asked{};  ///< what a kernel keeps less exactly is listed as asked for, where that is in force
    std::string cpus{};     ///< of the spec; listed so where that is in force, be it all that the host has
};

struct ObservedLimits {
    JailId id;
    bool supported = true;                ///< false: this kernel enforces none, and the rest is empty
    std::vector<model::LimitRule> rules;  ///< sorted; also those that somebody else added
    std::string cpus{};          ///< that a living jail may run on, as model::to_string(Cpus); empty: all of the host's
    bool cpus_supported = true;  ///< false: this kernel cannot keep a jail to some processors
    /// How often something was killed or refused for a limit, by resource, in this life of the jail; where a kernel
    /// counts that.
    std::map<std::string, std::uint64_t> breaches{};
    bool operator==(const ObservedLimits&) const = default;
};

/// For check_cpus(): all of `cpus` are among `there`.
Result<void> among_cpus(const std::string& cpus, const std::string& there);
/// For ObservedLimits::cpus, of a jail that has `own` of the host's `all` and was asked to have `asked`: all of them
/// are said by none and by their names. What cannot be read as processors is all.
std::string listed_cpus(const std::string& own, const std::string& all, const std::string& asked);

/// Limits of our jails. Every rule on a name of ours is ours, but while somebody else's jail has the name: then it has
/// none of ours, and nothing is done to it. Blocking, idempotent; any thread.
class Limits {
public:
    virtual ~Limits() = default;
    /// Can this kernel enforce these, one at least? Errc::unsupported "limits_unsupported" with remedy; Errc::invalid
    /// "invalid_value". Fields within the limits: "", "/memoryuse/action". `root`: a directory of the host's that the
    /// jail has as its root; empty: it has one of ours.
    virtual Result<void> check(const model::Limits& limits, const std::filesystem::path& root) = 0;
    /// Has this host these processors? `cpus` as JailSpec::cpuset. Errc::invalid "no_such_cpu".
    virtual Result<void> check_cpus(const std::string& cpus) = 0;
    /// One entry for each of `jails`, in their order.
    virtual Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) = 0;
    /// Exactly these rules, and the processors of `jail` if it lives. The jail need not exist; what it has of them is
    /// in force without a gap meanwhile. Where limits are a living jail's own (control groups), it is made with those
    /// of JailParameters instead. Errc::unsupported "limits_unsupported", Errc::conflict "name_in_use".
    virtual Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) = 0;
    /// No rule; the processors of `jail` if it lives. Nothing there: success, also where limits are unsupported.
    virtual Result<void> remove(const LimitSubject& jail) = 0;
};

}  // namespace jaild::kernel
