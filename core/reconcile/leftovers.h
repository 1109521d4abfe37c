#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "core/model/leftover.h"
#include "core/reconcile/engine.h"

/// What bears our mark and has no row: found by asking every port for all that it has of this installation, so that
/// what is named like ours and is not marked, or is another installation's, is not even seen. Blocking.
namespace jaild::reconcile {

/// Of what data lies in: snapshots of jails that have a row (others go with their jail), and templates.
struct LeftTrees {
    std::vector<kernel::SnapshotKey> snapshots{};
    std::vector<TemplateId> templates{};
};

struct Leftovers {
    std::map<JailId, Observed> jails{};  ///< with their rules and limits
    std::set<NetworkId> bridges{};
    std::set<NetworkId> rules{};  ///< in the packet filter
    LeftTrees trees{};
};

/// `busy`: jails that have a round are left out. Rows are read after everything was listed: what came meanwhile has
/// one.
Result<Leftovers> find_leftovers(Engine& engine, const std::function<bool(JailId)>& busy);

/// Only those.
Result<LeftTrees> find_left_trees(Engine& engine);

/// The same of one jail, observed before: its rules, its limits. What cannot be asked is left out.
void observe_leftover(Engine& engine, JailId id, Observed& observed);
/// Whose limits those of a jail without a row are, where the kernel or its directory still knows its name and no row
/// has it.
std::optional<kernel::LimitSubject> limits_left(Engine& engine, JailId id, const Observed& observed);

/// In the order in which they are removed.
std::vector<model::Leftover> describe(const Leftovers& leftovers, const InstanceId& instance);
std::vector<model::Leftover> describe(JailId id, const Observed& observed, const InstanceId& instance);

/// A process of it may live: by itself jaild leaves it alone.
[[nodiscard]] bool lives(const Observed& observed);

}  // namespace jaild::reconcile
