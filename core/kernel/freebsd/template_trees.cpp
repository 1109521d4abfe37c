#include "core/kernel/freebsd/template_trees.h"

#include <ranges>
#include <set>

#include "core/base/files.h"
#include "core/kernel/freebsd/jail_dataset_file.h"
#include "core/kernel/freebsd/mount_api.h"

namespace jaild::kernel {
namespace {

namespace mount_api = freebsd::mount_api;

Error mounted_beneath(const std::string& point) {
    return {.code = Errc::busy,
            .op = "remove",
            .detail = point + " is still mounted; nothing was deleted",
            .reason = "still_mounted",
            .remedy = "umount " + point};
}

}  // namespace

Result<std::optional<std::string>> FreeBsdTemplateTrees::dataset(TemplateId id) const {
    return freebsd::dataset_in(directory(id));
}

Result<std::vector<TemplateId>> FreeBsdTemplateTrees::list() {
    auto with_directory = directories_.list();
    if (!with_directory) return with_directory;
    std::set<TemplateId> all(with_directory->begin(), with_directory->end());
    // As with roots: a pool that is away keeps nobody from anything else.
    if (const auto with_dataset = datasets_.templates()) all.insert(with_dataset->begin(), with_dataset->end());
    return std::vector<TemplateId>(all.begin(), all.end());
}

Result<void> FreeBsdTemplateTrees::mount(TemplateId id, const std::string& dataset) {
    const std::lock_guard lock(mutex_);
    const std::string path = directory(id) / "root";
    const auto root = files::open_directory(path);
    if (!root) return std::unexpected(root.error());
    const auto there = mount_api::of(root->get());
    if (!there) return std::unexpected(there.error());
    if (there->point != path)
        return mount_api::mount({.kind = MountKind::zfs, .source = dataset, .target = "root"}, path);
    if (there->from == dataset) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "mount",
                                 .detail = there->from + " is mounted on " + path + ", not " + dataset,
                                 .reason = "mounted_otherwise",
                                 .remedy = "umount " + path});
}

Result<void> FreeBsdTemplateTrees::ensure_mounted(TemplateId id) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    return *name ? mount(id, **name) : Result<void>{};
}

Result<UniqueFd> FreeBsdTemplateTrees::make(TemplateId id) {
    if (auto gone = remove(id); !gone) return std::unexpected(gone.error());
    auto root = directories_.make(id);
    if (!root || !datasets_.configured()) return root;
    const auto whole = files::open_directory(directory(id));
    if (!whole) return std::unexpected(whole.error());
    const auto name = datasets_.name(id);
    // The name is written down before there is such a dataset: none is ever forgotten.
    if (auto written = freebsd::write_dataset(whole->get(), name); !written) return std::unexpected(written.error());
    if (auto made = datasets_.ensure(id); !made) return std::unexpected(made.error());
    if (auto mounted = mount(id, name); !mounted) return std::unexpected(mounted.error());
    return files::open_directory(directory(id) / "root");
}

Result<UniqueFd> FreeBsdTemplateTrees::open(TemplateId id) {
    if (auto mounted = ensure_mounted(id); !mounted) return std::unexpected(mounted.error());
    return directories_.open(id);
}

Result<void> FreeBsdTemplateTrees::finish(TemplateId id) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    return *name ? freebsd::Datasets::finish(**name) : directories_.finish(id);
}

/// The tree's own mount; with any other, nothing is done.
Result<void> FreeBsdTemplateTrees::unmount(TemplateId id, const std::optional<std::string>& dataset) const {
    const auto mounts = mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    const std::string whole = directory(id);
    const std::string root = whole + "/root";
    const auto is_own = [&](const mount_api::Mounted& one) { return one.point == root && one.from == dataset; };
    for (const auto& one : *mounts)
        if (one.point.starts_with(whole + "/") && !is_own(one)) return std::unexpected(mounted_beneath(one.point));
    for (const auto& one : *mounts | std::views::reverse)
        if (is_own(one))
            if (auto gone = mount_api::unmount(one, mount_api::Busy::fail); !gone) return gone;
    return {};
}

Result<void> FreeBsdTemplateTrees::remove(TemplateId id) {
    const auto name = dataset(id);
    if (!name) return std::unexpected(name.error());
    if (auto gone = unmount(id, *name); !gone) return gone;
    if (*name)
        if (auto destroyed = datasets_.destroy(id, **name); !destroyed) return destroyed;
    // A directory without that file is a template that never was a dataset, or what is left of one that was destroyed;
    // a dataset without a directory is from a state directory that was lost.
    const auto there = files::open_directory(directory(id));
    if (!there && there.error().code != Errc::not_found) return std::unexpected(there.error());
    if (!there)
        if (auto destroyed = datasets_.destroy(id); !destroyed) return destroyed;
    return directories_.remove(id);
}

}  // namespace jaild::kernel
