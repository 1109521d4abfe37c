#include "core/upgrade/merge_trees.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "core/base/copy_tree.h"
#include "core/base/entry_copier.h"
#include "core/base/files.h"
#include "core/base/tree_entry.h"
#include "core/upgrade/held_entry.h"
#include "core/upgrade/merge_records.h"
#include "core/upgrade/merge_text.h"

namespace jaild::upgrade {
namespace {

/// Each level of the descent holds four directories open.
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxName = 255;  ///< bytes, NAME_MAX
constexpr int kNewNames = 9;

/// What one name is in the three trees.
struct Three {
    HeldEntry base{};
    HeldEntry theirs{};
    HeldEntry ours{};
    bool left_out = false;  ///< the jail's is a socket or a device
};

/// A directory that is gone through, in all trees; -1 where it is not.
struct Level {
    UniqueFd base{};
    UniqueFd theirs{};
    UniqueFd ours{};
    UniqueFd target{};  ///< none in a trial
    std::string path{};
    std::vector<std::string> names{};
    std::set<std::string> replaced{};  ///< of a former upgrade; not to be copied

    [[nodiscard]] std::string path_of(const std::string& name) const { return path.empty() ? name : path + "/" + name; }
};

/// Owner, group and mode, each for itself: what the jail changed wins. All of the same kind; else the content's own.
struct stat merged_owner(const HeldEntry& content, const Three& three) {
    struct stat wanted = content.seen;
    if (!three.base.exists() || three.base.kind != three.theirs.kind || three.base.kind != three.ours.kind)
        return wanted;
    const auto& base = three.base.seen;
    const auto& theirs = three.theirs.seen;
    const auto& ours = three.ours.seen;
    wanted.st_uid = ours.st_uid == base.st_uid ? theirs.st_uid : ours.st_uid;
    wanted.st_gid = ours.st_gid == base.st_gid ? theirs.st_gid : ours.st_gid;
    wanted.st_mode = ours.st_mode == base.st_mode ? theirs.st_mode : ours.st_mode;
    return wanted;
}

bool same_owner(const struct stat& one, const struct stat& other) {
    return one.st_uid == other.st_uid && one.st_gid == other.st_gid && one.st_mode == other.st_mode;
}

bool later(const timespec& one, const timespec& other) {
    return std::pair(one.tv_sec, one.tv_nsec) > std::pair(other.tv_sec, other.tv_nsec);
}

Error too_large() {
    return Error{.code = Errc::exhausted,
                 .op = "merge_trees",
                 .detail = "/etc holds more files than an upgrade looks at",
                 .reason = "tree_too_large",
                 .remedy = "move what is no configuration out of the jail's /etc"};
}

/// In order, without those that were in both.
std::vector<std::string> united(std::vector<std::string> one, std::vector<std::string> other) {
    std::vector<std::string> all;
    std::set_union(std::make_move_iterator(one.begin()), std::make_move_iterator(one.end()),
                   std::make_move_iterator(other.begin()), std::make_move_iterator(other.end()),
                   std::back_inserter(all));
    return all;
}

class TreeMerge {
public:
    /// `target`: -1 for a trial.
    TreeMerge(int target, const MergeOptions& options)
        : options_(options),
          target_(target),
          count_([this](std::size_t more) { return this->count(more); }),
          entries_(target, [this](std::uint64_t) { return go_on(); }) {}
    Result<MergeReport> run(const Trees& trees);

private:
    /// What becomes of a name; true when the target has it.
    using Placed = Result<bool>;

    Result<void> count(std::size_t more);
    [[nodiscard]] bool go_on() const { return !options_.go_on || options_.go_on(); }
    [[nodiscard]] bool trial() const { return target_ < 0; }

    Result<Three> look(const Level& level, const std::string& name);
    Placed entry(Level& level, const std::string& name);
    Placed through(Level& level, const std::string& name, Three& three);
    Placed contents(Level& level);
    Result<bool> equal(const HeldEntry& one, const HeldEntry& other) { return same(one, other, count_, kMaxDepth); }

    Placed decide(Level& level, const std::string& name, const Three& three);
    Placed take_theirs(Level& level, const std::string& name, const Three& three);
    Placed keep(Level& level, const std::string& name, const Three& three, bool changed);
    Placed both_changed(Level& level, const std::string& name, const Three& three);
    Placed conflict(Level& level, const std::string& name, const Three& three, Reason reason);
    Result<std::string> new_name(Level& level, const std::string& name, const Three& three);
    Result<std::optional<Reason>> merge(Level& level, const std::string& name, const Three& three);

    Placed place(const Level& level, int from, const std::string& name, const HeldEntry& content,
                 const struct stat& wanted, const std::string& as);
    Result<void> place_tree(const Level& level, const HeldEntry& content, const std::string& as);
    Result<void> place_text(const Level& level, const std::string& name, const Three& three, std::string_view text);

    const MergeOptions& options_;
    int target_;
    CountEntries count_;
    files::EntryCopier entries_;
    std::uint64_t mount_of_base_ = 0;
    std::uint64_t mount_of_theirs_ = 0;
    std::uint64_t mount_of_ours_ = 0;
    std::uint64_t looked_at_ = 0;
    int depth_ = 0;
    MergeReport report_{};
};

Result<void> TreeMerge::count(std::size_t more) {
    looked_at_ += more;
    if (looked_at_ > options_.max_entries) return std::unexpected(too_large());
    if (!go_on()) return std::unexpected(files::interrupted("merge_trees"));
    return {};
}

Result<Three> TreeMerge::look(const Level& level, const std::string& name) {
    Three three;
    const auto path = level.path_of(name);
    auto held = hold(level.base.get(), name, mount_of_base_, path);
    if (!held) return std::unexpected(held.error());
    three.base = *std::move(held);
    held = hold(level.theirs.get(), name, mount_of_theirs_, path);
    if (!held) return std::unexpected(held.error());
    three.theirs = *std::move(held);
    held = hold(level.ours.get(), name, mount_of_ours_, path);
    if (!held) return std::unexpected(held.error());
    three.ours = *std::move(held);
    // Sockets and devices are as good as not there.
    three.left_out = three.ours.is(Kind::other);
    for (auto* one : {&three.base, &three.theirs, &three.ours})
        if (one->is(Kind::other)) *one = HeldEntry{};
    return three;
}

/// Makes `as` in the target what `content` is, which is `name` in `from`.
TreeMerge::Placed TreeMerge::place(const Level& level, int from, const std::string& name, const HeldEntry& content,
                                   const struct stat& wanted, const std::string& as) {
    if (trial()) return true;
    const auto path = level.path_of(as);
    Result<void> done;
    if (content.is(Kind::directory)) {
        done = place_tree(level, content, as);
    } else {
        const auto made = entries_.copy(content.held.get(), from, name, wanted, level.target.get(), path);
        if (!made) done = std::unexpected(made.error());
        if (made && *made != files::EntryCopier::Made::yes)
            done = std::unexpected(Error{.code = Errc::busy,
                                         .op = "merge_trees",
                                         .detail = "somebody changes it meanwhile",
                                         .reason = "tree_changing"});
    }
    if (done) return true;
    auto error = std::move(done).error();
    error.detail = "etc/" + path + ": " + error.detail;
    return std::unexpected(std::move(error));
}

Result<void> TreeMerge::place_tree(const Level& level, const HeldEntry& content, const std::string& as) {
    const auto from = open_held(content);
    if (!from) return std::unexpected(from.error());
    if (::mkdirat(level.target.get(), as.c_str(), 0700) != 0)
        return std::unexpected(Error::from_errno("mkdirat", errno));
    const auto to = files::open_beneath(level.target.get(), as, O_RDONLY | O_DIRECTORY);
    if (!to) return std::unexpected(to.error());
    std::uint64_t seen = 0;
    Result<void> counted;
    const auto copied = files::copy_tree(from->get(), to->get(), {.go_on = [&](const files::CopyTotals& totals) {
                                             counted = this->count(static_cast<std::size_t>(totals.entries - seen));
                                             seen = totals.entries;
                                             return counted.has_value();
                                         }});
    if (!counted) return counted;
    if (!copied) return std::unexpected(copied.error());
    report_.left_out += copied->left_out;
    return {};
}

Result<void> TreeMerge::place_text(const Level& level, const std::string& name, const Three& three,
                                   std::string_view text) {
    if (trial()) return {};
    const UniqueFd to(
        ::openat(level.target.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return std::unexpected(Error::from_errno("openat", errno, level.path_of(name)));
    while (!text.empty()) {
        const auto put = ::write(to.get(), text.data(), text.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(Error::from_errno("write", errno, level.path_of(name)));
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    const auto ours = open_held(three.ours);
    if (!ours) return std::unexpected(ours.error());
    auto wanted = merged_owner(three.ours, three);
    if (later(three.theirs.seen.st_mtim, wanted.st_mtim)) wanted.st_mtim = three.theirs.seen.st_mtim;
    return files::dress(ours->get(), to.get(), wanted);
}

/// The jail did not change it.
TreeMerge::Placed TreeMerge::take_theirs(Level& level, const std::string& name, const Three& three) {
    if (!three.theirs.exists()) {
        ++report_.removed;
        return false;
    }
    ++(three.ours.exists() ? report_.updated : report_.added);
    return place(level, level.theirs.get(), name, three.theirs, merged_owner(three.theirs, three), name);
}

/// The jail's stays, if it has one; only the template's change of an owner or mode is taken.
TreeMerge::Placed TreeMerge::keep(Level& level, const std::string& name, const Three& three, bool changed) {
    const auto wanted = three.ours.exists() ? merged_owner(three.ours, three) : three.ours.seen;
    if (three.ours.exists() && !same_owner(wanted, three.ours.seen))
        ++report_.updated;
    else if (changed)
        ++report_.kept;
    if (!three.ours.exists()) return false;
    return place(level, level.ours.get(), name, three.ours, wanted, name);
}

/// The name for the new template's file beside the jail's; empty when all are taken.
Result<std::string> TreeMerge::new_name(Level& level, const std::string& name, const Three& three) {
    for (int number = 1; number <= kNewNames; ++number) {
        const auto wanted = name + ".new" + (number == 1 ? "" : std::to_string(number));
        if (wanted.size() > kMaxName) break;
        if (!std::binary_search(level.names.begin(), level.names.end(), wanted)) return wanted;
        const auto there = look(level, wanted);
        if (!there) return std::unexpected(there.error());
        if (there->base.exists() || there->theirs.exists() || !three.base.exists()) continue;
        const auto former = equal(there->ours, three.base);
        if (!former) return std::unexpected(former.error());
        if (!*former) continue;
        level.replaced.insert(wanted);
        return wanted;
    }
    return std::string();
}

TreeMerge::Placed TreeMerge::conflict(Level& level, const std::string& name, const Three& three, Reason reason) {
    Conflict found{.path = level.path_of(name), .reason = reason};
    bool placed = false;
    if (three.ours.exists()) {
        const auto done = place(level, level.ours.get(), name, three.ours, merged_owner(three.ours, three), name);
        if (!done) return done;
        placed = true;
    }
    if (three.theirs.exists()) {
        const auto as = new_name(level, name, three);
        if (!as) return std::unexpected(as.error());
        if (!as->empty()) {
            const auto done = place(level, level.theirs.get(), name, three.theirs, three.theirs.seen, *as);
            if (!done) return done;
            found.written = level.path_of(*as);
            placed = true;
        }
    }
    ++report_.conflicted;
    if (report_.conflicts.size() < options_.max_conflicts) report_.conflicts.push_back(std::move(found));
    return placed;
}

/// Merges texts; or says why not.
Result<std::optional<Reason>> TreeMerge::merge(Level& level, const std::string& name, const Three& three) {
    const bool all = !three.base.exists() || three.base.kind == three.ours.kind;
    if (!all || three.ours.kind != three.theirs.kind) return Reason::kind;
    if (three.ours.is(Kind::link)) return Reason::link;
    std::array<std::string, 3> texts;
    std::size_t at = 0;
    for (const auto* one : {&three.base, &three.ours, &three.theirs}) {
        auto& text = texts[at++];
        if (!one->exists()) continue;
        if (static_cast<std::uint64_t>(one->seen.st_size) > options_.max_text) return Reason::too_large;
        auto content = content_of(*one, options_.max_text);
        if (!content && content.error().code == Errc::exhausted && content.error().sys == 0) return Reason::too_large;
        if (!content) return std::unexpected(content.error());
        if (!is_text(*content)) return Reason::binary;
        if (count_lines(*content) > kMaxMergedLines) return Reason::too_large;
        text = *std::move(content);
    }
    const bool records = is_record_file(level.path_of(name));
    const auto merged =
        records ? merge_records(texts[0], texts[1], texts[2]) : merge_text(texts[0], texts[1], texts[2]);
    if (!merged) return Reason::text;
    if (auto placed = place_text(level, name, three, *merged); !placed) return std::unexpected(placed.error());
    ++report_.merged;
    return std::nullopt;
}

TreeMerge::Placed TreeMerge::both_changed(Level& level, const std::string& name, const Three& three) {
    if (name.ends_with(".db") || options_.derived.contains(level.path_of(name))) return keep(level, name, three, true);
    if (!three.ours.exists()) return conflict(level, name, three, Reason::removed_by_jail);
    if (!three.theirs.exists()) return conflict(level, name, three, Reason::removed_by_template);
    const auto reason = merge(level, name, three);
    if (!reason) return std::unexpected(reason.error());
    if (!*reason) return true;
    return conflict(level, name, three, **reason);
}

/// What merge_trees() says in its table.
TreeMerge::Placed TreeMerge::decide(Level& level, const std::string& name, const Three& three) {
    const auto by_template = equal(three.base, three.theirs);
    if (!by_template) return std::unexpected(by_template.error());
    const auto by_jail = equal(three.base, three.ours);
    if (!by_jail) return std::unexpected(by_jail.error());
    if (*by_template) return keep(level, name, three, !*by_jail);
    if (*by_jail) return take_theirs(level, name, three);
    const auto alike = equal(three.ours, three.theirs);
    if (!alike) return std::unexpected(alike.error());
    if (*alike) return keep(level, name, three, three.ours.exists());
    return both_changed(level, name, three);
}

TreeMerge::Placed TreeMerge::entry(Level& level, const std::string& name) {
    if (level.replaced.contains(name)) return false;
    auto three = look(level, name);
    if (!three) return std::unexpected(three.error());
    if (three->left_out) ++report_.left_out;
    const auto passable = [](const HeldEntry& one) { return !one.exists() || one.is(Kind::directory); };
    const bool in_template = three->base.exists() || three->theirs.exists();
    if (passable(three->base) && passable(three->theirs) && passable(three->ours) && in_template)
        return through(level, name, *three);
    return decide(level, name, *three);
}

/// Directories wherever the name exists, and in one of the templates at least.
TreeMerge::Placed TreeMerge::through(Level& level, const std::string& name, Three& three) {
    const bool wanted = three.theirs.exists() && (three.ours.exists() || !three.base.exists());
    if (!three.theirs.exists() && !three.ours.exists()) return false;
    if (++depth_ > kMaxDepth)
        return std::unexpected(Error{.code = Errc::exhausted,
                                     .op = "merge_trees",
                                     .detail = "directories lie too deep: etc/" + level.path_of(name),
                                     .reason = "tree_too_deep"});
    Level inner{.path = level.path_of(name)};
    std::pair<HeldEntry*, UniqueFd*> sides[] = {
        {&three.base, &inner.base}, {&three.theirs, &inner.theirs}, {&three.ours, &inner.ours}};
    for (const auto& [held, opened] : sides) {
        if (!held->exists()) continue;
        auto directory = open_held(*held);
        if (!directory) return std::unexpected(directory.error());
        *opened = *std::move(directory);
        held->held.reset();
    }
    if (!trial()) {
        if (::mkdirat(level.target.get(), name.c_str(), 0700) != 0)
            return std::unexpected(Error::from_errno("mkdirat", errno, inner.path));
        auto made = files::open_beneath(level.target.get(), name, O_RDONLY | O_DIRECTORY);
        if (!made) return std::unexpected(made.error());
        inner.target = *std::move(made);
    }
    const auto filled = contents(inner);
    --depth_;
    if (!filled) return filled;
    if (!*filled && !wanted) {
        if (three.ours.exists()) ++report_.removed;
        if (!trial() && ::unlinkat(level.target.get(), name.c_str(), AT_REMOVEDIR) != 0)
            return std::unexpected(Error::from_errno("unlinkat", errno, inner.path));
        return false;
    }
    if (!three.ours.exists()) ++report_.added;
    const auto& content = three.ours.exists() ? three.ours : three.theirs;
    const auto owner = merged_owner(content, three);
    if (!same_owner(owner, content.seen)) ++report_.updated;
    if (trial()) return true;
    const int from = three.ours.exists() ? inner.ours.get() : inner.theirs.get();
    if (auto dressed = files::dress(from, inner.target.get(), owner); !dressed) return std::unexpected(dressed.error());
    return true;
}

/// True when anything of it is in the target.
TreeMerge::Placed TreeMerge::contents(Level& level) {
    for (const auto* one : {&level.base, &level.theirs, &level.ours}) {
        if (!*one) continue;
        auto names = names_in(one->get(), count_);
        if (!names) return std::unexpected(names.error());
        level.names = united(std::move(level.names), *std::move(names));
    }
    bool filled = false;
    for (const auto& name : level.names) {
        const auto placed = entry(level, name);
        if (!placed) return placed;
        filled = filled || *placed;
    }
    return filled;
}

Result<MergeReport> TreeMerge::run(const Trees& trees) {
    Level top;
    Three three;
    struct Tree {
        int given;
        UniqueFd& opened;
        std::uint64_t& mount;
        HeldEntry& entry;
    };
    const Tree sides[] = {{trees.base, top.base, mount_of_base_, three.base},
                          {trees.theirs, top.theirs, mount_of_theirs_, three.theirs},
                          {trees.ours, top.ours, mount_of_ours_, three.ours}};
    for (const auto& side : sides) {
        auto opened = files::open_beneath(side.given, ".", O_RDONLY | O_DIRECTORY);
        if (!opened) return std::unexpected(opened.error());
        side.opened = *std::move(opened);
        const auto identity = files::identify(side.opened.get(), "");
        if (!identity) return std::unexpected(identity.error());
        side.mount = identity->mount;
        side.entry.kind = Kind::directory;
        if (::fstat(side.opened.get(), &side.entry.seen) != 0)
            return std::unexpected(Error::from_errno("fstat", errno));
    }
    if (!trial()) {
        auto opened = files::open_beneath(target_, ".", O_RDONLY | O_DIRECTORY);
        if (!opened) return std::unexpected(opened.error());
        top.target = *std::move(opened);
    }
    if (auto filled = contents(top); !filled) return std::unexpected(filled.error());
    const auto owner = merged_owner(three.ours, three);
    if (!same_owner(owner, three.ours.seen)) ++report_.updated;
    if (!trial()) {
        if (auto dressed = files::dress(top.ours.get(), top.target.get(), owner); !dressed)
            return std::unexpected(dressed.error());
    }
    return std::move(report_);
}

}  // namespace

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::text:
            return "text";
        case Reason::binary:
            return "binary";
        case Reason::too_large:
            return "too_large";
        case Reason::link:
            return "link";
        case Reason::kind:
            return "kind";
        case Reason::removed_by_jail:
            return "removed_by_jail";
        case Reason::removed_by_template:
            return "removed_by_template";
    }
    return "";
}

Result<MergeReport> merge_trees(const Trees& trees, int target, const MergeOptions& options) {
    const auto empty = files::is_empty(target);
    if (!empty) return std::unexpected(empty.error());
    if (!*empty)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "merge_trees",
                                     .detail = "the directory that is merged into is not empty",
                                     .reason = "not_empty"});
    return TreeMerge(target, options).run(trees);
}

Result<MergeReport> try_merge_trees(const Trees& trees, const MergeOptions& options) {
    return TreeMerge(-1, options).run(trees);
}

}  // namespace jaild::upgrade
