#pragma once

#include <map>
#include <set>
#include <string>

#include "core/reconcile/engine.h"

namespace jaild::reconcile {

/// What carries our mark and belongs to no row. A removal forgets its row last, so there is none unless somebody put an
/// old database back or took rows out of it; then losing data or ending processes would be the worse harm. Therefore
/// only what is dead is taken away (links, mounts, the remains of a jail, an idle shim); a live jail and a directory,
/// which may hold a root, stay and are reported once, as event `residue.found`. Blocking; one thread at a time.
class Residue {
public:
    explicit Residue(Engine& engine) : engine_(engine) {}

    /// `seen`: it had no row when everything was listed. It is looked at again before anything is done.
    Result<void> sweep(JailId seen);

private:
    Result<void> clear(JailId id, const Observed& observed);
    Result<void> report(JailId id, const std::string& what, const std::string& remedy);

    Engine& engine_;
    std::set<std::pair<JailId, std::string>> reported_;
};

}  // namespace jaild::reconcile
