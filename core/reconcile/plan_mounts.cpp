#include "core/reconcile/plan_mounts.h"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace jaild::reconcile {
namespace {

using kernel::Mount;
using kernel::ObservedMount;

bool is_beneath(std::string_view target, std::string_view directory) {
    return target.size() > directory.size() && target.starts_with(directory) && target[directory.size()] == '/';
}

/// The mount table as it will be after the steps planned so far.
class Table {
public:
    Table(const std::vector<Mount>& wanted, std::vector<ObservedMount> present, Plan& steps)
        : wanted_(wanted), present_(std::move(present)), steps_(steps) {}

    void bring(const Mount& mount) {
        // The topmost mount at a target is the one that the jail sees; what it covers comes to light when it goes.
        auto top = topmost(mount.target);
        while (top != present_.end() && mount.read_only && !top->read_only) {
            uncover(mount.target);
            remove(topmost(mount.target));
            top = topmost(mount.target);
        }
        if (top != present_.end()) return;
        uncover(mount.target);
        steps_.push_back({.kind = StepKind::mount, .object = mount.target, .mount = mount});
        present_.push_back({.id = {}, .target = mount.target, .read_only = mount.read_only});
    }

    /// With those of ours beneath it, whose turn comes again.
    void drop(const std::string& target) {
        uncover(target);
        if (const auto top = topmost(target); top != present_.end()) remove(top);
    }

private:
    using Position = std::vector<ObservedMount>::iterator;

    Position topmost(std::string_view target) {
        const auto found = std::ranges::find(present_ | std::views::reverse, target, &ObservedMount::target);
        return found == std::ranges::rend(present_) ? present_.end() : std::prev(found.base());
    }

    void remove(Position position) {
        steps_.push_back(
            {.kind = StepKind::unmount, .object = position->target, .mount = {}, .source = position->source});
        present_.erase(position);
    }

    /// Our own mounts beneath `target` would keep it busy, or be hidden by a new one: off with them, last one first.
    /// Their turn comes again, because wanted mounts name a directory before what is beneath it.
    void uncover(std::string_view target) {
        for (std::size_t left = present_.size(); left-- > 0;) {
            const auto& one = present_[left];
            const bool ours = std::ranges::find(wanted_, one.target, &Mount::target) != wanted_.end();
            if (ours && is_beneath(one.target, target)) remove(present_.begin() + static_cast<std::ptrdiff_t>(left));
        }
    }

    const std::vector<Mount>& wanted_;
    std::vector<ObservedMount> present_;
    Plan& steps_;
};

}  // namespace

void plan_mounts(const std::vector<Mount>& wanted, std::vector<ObservedMount> present,
                 const std::vector<std::string>& dropped, Plan& steps) {
    Table table(wanted, std::move(present), steps);
    for (const auto& target : dropped) table.drop(target);
    for (const auto& mount : wanted) table.bring(mount);
}

void plan_unmounts(const std::vector<ObservedMount>& present, Plan& steps) {
    for (const auto& mount : present | std::views::reverse)
        steps.push_back({.kind = StepKind::unmount, .object = mount.target, .mount = {}, .source = mount.source});
}

}  // namespace jaild::reconcile
