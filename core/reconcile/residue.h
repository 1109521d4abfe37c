#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/reconcile/leftovers.h"

namespace jaild::reconcile {

/// What carries our mark and belongs to no row. A removal forgets its row last, so there is none unless somebody put an
/// old database back or took rows out of it; then losing data or ending processes would be the worse harm. Therefore
/// by itself jaild takes away only what is dead (links, mounts, the remains of a jail, an idle shim); a live jail and a
/// directory, which may hold a root, stay and are reported once, as event `residue.found`, until an administrator has
/// everything removed. What was is event `residue.removed`. Blocking. A sweep on one thread, and list() or remove_all()
/// on another one, may overlap: each step can be done twice.
class Residue {
public:
    explicit Residue(Engine& engine) : engine_(engine) {}

    /// `seen`: it had no row when everything was listed. It is looked at again before anything is done.
    Result<void> sweep(JailId seen);

    /// Trees of templates and of snapshots without a row hold data too: they are only told of.
    Result<void> tell_of_trees();

    /// Everything that there is, in the order in which it would be removed.
    Result<std::vector<model::Leftover>> list(const std::function<bool(JailId)>& busy);
    /// Removes all of it, what lives and what may hold data too; answers what there was, each with what became of it.
    Result<std::vector<model::Leftover>> remove_all(const std::function<bool(JailId)>& busy);

private:
    using Failures = std::map<std::string, Error>;  ///< by Leftover::owner
    Result<void> clear(JailId id, const Observed& observed);
    Result<void> remove_jail(JailId id, const Observed& observed);
    Failures remove(const Leftovers& found);
    Result<void> report(std::int64_t id, const std::string& what, const std::string& remedy);
    Result<void> tell_removed(const std::vector<model::Leftover>& items);

    Engine& engine_;
    std::set<std::pair<std::int64_t, std::string>> reported_;
};

}  // namespace jaild::reconcile
