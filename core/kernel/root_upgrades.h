#pragma once

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/model/jail.h"
#include "core/model/jail_spec.h"
#include "core/upgrade/merge_trees.h"

namespace jaild::kernel {

/// A jail's root that was made from one version of a template, and is to be as if from another.
struct RootUpgrade {
    JailId jail;
    model::RootKind kind = model::RootKind::thin;
    TemplateId from;     ///< what it was made from
    model::JailBase to;  ///< what it is made from by now
    SnapshotId mark;     ///< of this upgrade: of what the root was before
};

/// Merges what a jail has of its own with what changed in its template: /etc of a thin root, which gets its programs by
/// mounts; also /bin, /lib and all other directories that a thin root would share of a root that has copies of them.
/// Blocking, any thread.
class RootUpgrades {
public:
    virtual ~RootUpgrades() = default;
    /// The jail is down, nothing of it mounted, and what its root was is safe. What a crash left half-done is finished,
    /// what was finished stays; then the report is empty. Paths in the report are relative to the root. Errors before
    /// anything was changed, and later ones: the root is of use again only by the snapshot. Errc::not_found
    /// "template_missing"; Errc::exhausted; those of merge_trees().
    virtual Result<upgrade::MergeReport> upgrade(const RootUpgrade& upgrade) = 0;
    /// What upgrade() would report of the root as it is; the jail may run. Nothing is written.
    virtual Result<upgrade::MergeReport> try_upgrade(const RootUpgrade& upgrade) = 0;
};

}  // namespace jaild::kernel
