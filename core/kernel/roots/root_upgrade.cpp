#include "core/kernel/roots/root_upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/roots/place.h"
#include "core/kernel/roots/template_root.h"
#include "core/upgrade/databases.h"

namespace jaild::kernel {
namespace {

namespace fs = std::filesystem;
using upgrade::MergeReport;

/// In the jail's directory: which upgrade is how far, "8 merged" or "8 done".
constexpr const char* kProgress = "upgrade";
constexpr std::size_t kProgressLimit = 64;
/// In the root, so that rename(2) reaches it: what becomes the root's directories, and what they were.
constexpr const char* kWork = ".jaild-upgrade";
/// In the jail's directory: for databases, while an upgrade makes them.
constexpr const char* kScratch = "upgrade-scratch";
/// There too, and always empty: what stands for a directory that a tree does not have. Dry runs share it.
constexpr const char* kNothing = "nothing";
/// A whole userland, not only /etc.
constexpr std::uint64_t kMaxEntries = std::uint64_t{4} << 20;

std::string merged(SnapshotId mark) {
    return fmt::format("{} merged\n", mark.value);
}

std::string done(SnapshotId mark) {
    return fmt::format("{} done\n", mark.value);
}

Result<std::string> progress_of(int jail) {
    auto text = files::read(jail, kProgress, kProgressLimit);
    if (!text && text.error().code == Errc::not_found) return std::string();
    return text;
}

/// A directory of a tree; nothing where there is none, or something else has its name.
Result<std::optional<UniqueFd>> part_of(int tree, const std::string& part) {
    auto opened = files::open_beneath(tree, part, O_RDONLY | O_DIRECTORY);
    if (opened) return std::optional(*std::move(opened));
    const int sys = opened.error().sys;
    const bool none = opened.error().code == Errc::not_found || sys == ENOTDIR || sys == ELOOP ||
                      opened.error().name() == "symbolic_link";
    if (none) return std::nullopt;
    return std::unexpected(opened.error());
}

/// What is merged: relative to the root, in order.
Result<std::vector<std::string>> parts_of(int theirs, const RootUpgrade& asked) {
    std::vector<std::string> parts{"etc"};
    if (asked.kind == model::RootKind::thin) return parts;
    auto shared = template_root::shared(theirs, asked.to.private_parts);
    if (!shared) return shared;
    parts.insert(parts.end(), shared->begin(), shared->end());
    return parts;
}

/// The open trees of both templates.
struct Templates {
    UniqueFd base;
    UniqueFd theirs;
};

Result<Templates> open_templates(const fs::path& state, const RootUpgrade& asked) {
    Templates trees;
    for (const auto& [id, target] : {std::pair{asked.from, &trees.base}, std::pair{asked.to.id, &trees.theirs}}) {
        auto tree = files::open_directory(template_root::tree_of(state, id));
        if (!tree && tree.error().code == Errc::not_found)
            return std::unexpected(Error{.code = Errc::not_found,
                                         .op = "upgrade",
                                         .detail = "the tree of a template is not there: " + tree.error().detail,
                                         .reason = "template_missing"});
        if (!tree) return std::unexpected(tree.error());
        *target = *std::move(tree);
    }
    return trees;
}

upgrade::MergeOptions options_of(bool databases) {
    upgrade::MergeOptions options{.max_entries = kMaxEntries};
    if (databases) options.derived = upgrade::database_files();
    return options;
}

void add(MergeReport& all, MergeReport one, const std::string& part) {
    all.updated += one.updated;
    all.merged += one.merged;
    all.added += one.added;
    all.removed += one.removed;
    all.kept += one.kept;
    all.left_out += one.left_out;
    all.conflicted += one.conflicted;
    for (auto& conflict : one.conflicts) {
        conflict.path = part + "/" + conflict.path;
        if (!conflict.written.empty()) conflict.written = part + "/" + conflict.written;
        all.conflicts.push_back(std::move(conflict));
    }
}

/// Each part of the three trees to `merge`; where one has none, it is an empty directory.
Result<MergeReport> for_each_part(const Templates& trees, int root, int nothing, const std::vector<std::string>& parts,
                                  const std::function<Result<MergeReport>(const upgrade::Trees&, std::size_t)>& merge) {
    MergeReport all;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto base = part_of(trees.base.get(), parts[i]);
        auto theirs = part_of(trees.theirs.get(), parts[i]);
        auto ours = part_of(root, parts[i]);
        for (const auto* part : {&base, &theirs, &ours})
            if (!*part) return std::unexpected(part->error());
        const auto fd = [&](const std::optional<UniqueFd>& part) { return part ? part->get() : nothing; };
        auto one = merge({.base = fd(*base), .theirs = fd(*theirs), .ours = fd(*ours)}, i);
        if (!one) return one;
        add(all, *std::move(one), parts[i]);
    }
    return all;
}

/// What was made takes the place of what was there; finishes what a crash left half-done.
Result<void> exchange(int root, int work, const std::vector<std::string>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto made = std::to_string(i) + ".new";
        const auto old = std::to_string(i) + ".old";
        struct stat seen {};
        if (::fstatat(work, made.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) continue;
            return std::unexpected(Error::from_errno("fstatat", errno, made));
        }
        const fs::path part(parts[i]);
        UniqueFd parent(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!parent) return std::unexpected(Error::from_errno("openat", errno));
        for (const auto& name : part.parent_path()) {
            auto next = place::directory(parent.get(), name, 0755);
            if (!next) return std::unexpected(next.error());
            parent = *std::move(next);
        }
        const auto name = part.filename();
        if (::fstatat(work, old.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0 &&
            ::renameat(parent.get(), name.c_str(), work, old.c_str()) != 0 && errno != ENOENT)
            return std::unexpected(Error::from_errno("renameat", errno, parts[i]));
        if (::renameat(work, made.c_str(), parent.get(), name.c_str()) != 0)
            return std::unexpected(Error::from_errno("renameat", errno, parts[i]));
    }
    return {};
}

}  // namespace

/// What both ways of an upgrade work on, open.
struct RootMerges::Workshop {
    UniqueFd jail;
    UniqueFd root;
    Templates trees;
    std::vector<std::string> parts;
    UniqueFd nothing;
};

Result<RootMerges::Workshop> RootMerges::open(const RootUpgrade& asked) const {
    if (ways_.bring)
        if (auto there = ways_.bring(asked.jail); !there) return std::unexpected(there.error());
    const auto path = directories_.path(asked.jail);
    auto jail = files::open_directory(path);
    if (!jail) return std::unexpected(jail.error());
    auto root = files::open_beneath(jail->get(), "root", O_RDONLY | O_DIRECTORY);
    if (!root) return std::unexpected(root.error());
    auto trees = open_templates(directories_.state(), asked);
    if (!trees) return std::unexpected(trees.error());
    auto parts = parts_of(trees->theirs.get(), asked);
    if (!parts) return std::unexpected(parts.error());
    auto nothing = files::make_directories(jail->get(), kNothing, 0700);
    if (!nothing) return std::unexpected(nothing.error());
    return Workshop{.jail = *std::move(jail),
                    .root = *std::move(root),
                    .trees = *std::move(trees),
                    .parts = *std::move(parts),
                    .nothing = *std::move(nothing)};
}

/// What the parts become, in kWork; nothing is left of it with an error.
Result<MergeReport> RootMerges::merge_parts(const Workshop& shop, const fs::path& scratch) const {
    const int root = shop.root.get();
    if (auto gone = files::remove_tree(root, kWork); !gone) return std::unexpected(gone.error());
    const auto work = files::make_directories(root, kWork, 0700);
    if (!work) return std::unexpected(work.error());
    const auto merge = [&](const upgrade::Trees& of, std::size_t i) -> Result<MergeReport> {
        const bool databases = shop.parts[i] == "etc" && ways_.make_databases;
        const auto target = files::make_directories(work->get(), std::to_string(i) + ".new", 0755);
        if (!target) return std::unexpected(target.error());
        auto one = upgrade::merge_trees(of, target->get(), options_of(databases));
        if (!one || !databases) return one;
        auto made = ways_.make_databases(target->get(), scratch);
        return made ? one : std::unexpected(made.error());
    };
    auto all = for_each_part(shop.trees, root, shop.nothing.get(), shop.parts, merge);
    if (all)
        if (auto synced = files::sync_filesystem(work->get()); !synced) all = std::unexpected(synced.error());
    // What it takes up can be what is missing elsewhere.
    if (!all) static_cast<void>(files::remove_tree(root, kWork));
    return all;
}

Result<MergeReport> RootMerges::upgrade(const RootUpgrade& asked) {
    if (auto down = directories_.check_unmounted(asked.jail, mounts_); !down) return std::unexpected(down.error());
    const auto shop = open(asked);
    if (!shop) return std::unexpected(shop.error());
    const int jail = shop->jail.get();
    const auto progress = progress_of(jail);
    if (!progress) return std::unexpected(progress.error());

    Result<MergeReport> report;
    if (*progress != merged(asked.mark) && *progress != done(asked.mark)) {
        if (auto gone = files::remove_tree(jail, kScratch); !gone) return std::unexpected(gone.error());
        if (auto made = files::make_directories(jail, kScratch, 0700); !made) return std::unexpected(made.error());
        report = merge_parts(*shop, directories_.path(asked.jail) / kScratch);
        if (!report) return report;
        if (auto told = files::write_atomic(jail, kProgress, merged(asked.mark), 0600); !told)
            return std::unexpected(told.error());
    }
    if (auto gone = files::remove_tree(jail, kScratch); !gone) return std::unexpected(gone.error());
    if (*progress != done(asked.mark)) {
        const auto work = files::open_beneath(shop->root.get(), kWork, O_RDONLY | O_DIRECTORY);
        if (!work) return std::unexpected(work.error());
        if (auto exchanged = exchange(shop->root.get(), work->get(), shop->parts); !exchanged)
            return std::unexpected(exchanged.error());
        if (auto told = files::write_atomic(jail, kProgress, done(asked.mark), 0600); !told)
            return std::unexpected(told.error());
    }
    if (auto gone = files::remove_tree(shop->root.get(), kWork); !gone) return std::unexpected(gone.error());
    return report;
}

Result<MergeReport> RootMerges::try_upgrade(const RootUpgrade& asked) {
    const auto shop = open(asked);
    if (!shop) return std::unexpected(shop.error());
    const auto merge = [&](const upgrade::Trees& of, std::size_t i) {
        return upgrade::try_merge_trees(of, options_of(shop->parts[i] == "etc" && ways_.make_databases));
    };
    return for_each_part(shop->trees, shop->root.get(), shop->nothing.get(), shop->parts, merge);
}

}  // namespace jaild::kernel
