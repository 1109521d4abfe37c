#pragma once

#include <shared_mutex>

#include "core/kernel/jails.h"
#include "core/kernel/linux/cgroups.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/runtime.h"

namespace jaild::kernel {

/// A jail on Linux: a container of the OCI runtime whose process 1 is jaild-pause, in a named network namespace or in
/// the daemon's.
/// What a look finds it takes from the runtime's records, /run/netns and the cgroup trees, and from /proc.
class LinuxJails : public Jails {
public:
    LinuxJails(Layout layout, Runtime runtime, cgroups::Hierarchies hierarchies)
        : layout_(std::move(layout)), runtime_(std::move(runtime)), hierarchies_(std::move(hierarchies)) {}

    Result<std::vector<ObservedJail>> list(Scope scope) override;
    Result<void> check_name(const model::Name& name, JailId id) override;
    /// jail(8)'s parameters and devfs(8)'s rulesets are FreeBSD's: Errc::unsupported "unsupported_parameter".
    Result<void> check(const model::JailSpec& spec) override;
    Result<model::Parameters> parameters(JailId id, const std::vector<std::string>& names) override;
    Result<void> create(const JailParameters& parameters) override;
    Result<void> update(const JailParameters& parameters) override;
    Result<void> remove(JailId id) override;
    Result<Applied> applied(JailId id) override;
    Result<void> record(JailId id, const Applied& applied) override;

private:
    Result<std::vector<JailId>> remains(Scope scope) const;
    Result<void> write_bundle(const JailParameters& parameters) const;
    Result<void> remove_container(JailId id);
    void remove_empty_parents();

    Layout layout_;
    Runtime runtime_;
    cgroups::Hierarchies hierarchies_;
    /// The runtime makes the directories above its own step by step: nobody removes empty ones meanwhile.
    std::shared_mutex parents_;
};

}  // namespace jaild::kernel
