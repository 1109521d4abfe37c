#include "core/kernel/freebsd/transfers.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <ranges>

#include "core/base/files.h"
#include "core/kernel/freebsd/jail_dataset_file.h"
#include "core/kernel/freebsd/jail_datasets.h"
#include "core/kernel/freebsd/mount_api.h"
#include "core/kernel/roots/import_directory.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {
namespace {

namespace mount_api = freebsd::mount_api;

constexpr const char* kExports = "exports";

/// How often an unmount is tried: what was written is let go of a moment later (zfs_get_done() after zil_commit()), and
/// so is a directory by a program that dies with its daemon.
constexpr int kUnmountAttempts = 50;
constexpr int kUnmountPauseMilliseconds = 100;

Result<void> unmount_patiently(const mount_api::Mounted& one) {
    for (int attempt = 1;; ++attempt) {
        auto gone = mount_api::unmount(one, mount_api::Busy::fail);
        if (gone || gone.error().code != Errc::busy || attempt == kUnmountAttempts) return gone;
        ::poll(nullptr, 0, kUnmountPauseMilliseconds);
    }
}

/// All that is mounted at `path`, or beneath it, the last first.
Result<void> unmount_beneath(const std::string& path) {
    const auto mounts = mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    for (const auto& one : *mounts | std::views::reverse)
        if (one.point == path || one.point.starts_with(path + "/"))
            if (auto gone = unmount_patiently(one); !gone) return gone;
    return {};
}

/// A ZFS file system at `path` as long as this lives.
class HeldMount {
public:
    explicit HeldMount(std::string path) : path_(std::move(path)) {}
    HeldMount(const HeldMount&) = delete;
    HeldMount& operator=(const HeldMount&) = delete;
    ~HeldMount() {
        if (auto gone = end(); !gone) spdlog::warn("{}", gone.error().to_string());
        ::rmdir(path_.c_str());  // no more than an empty one
    }
    /// Opens it. nmount(2) follows links: it must be where it should be.
    [[nodiscard]] Result<UniqueFd> begin(const std::string& source, bool read_only) const {
        const Mount wanted{.kind = MountKind::zfs, .source = source, .target = "root", .read_only = read_only};
        if (auto mounted = mount_api::mount(wanted, path_); !mounted) return std::unexpected(mounted.error());
        auto root = files::open_directory(path_);
        if (!root) return root;
        const auto seen = mount_api::of(root->get());
        if (!seen) return std::unexpected(seen.error());
        if (seen->from == source && seen->point == path_) return root;
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "mount",
                                     .detail = seen->from + " is mounted on " + seen->point,
                                     .reason = "mounted_otherwise"});
    }
    [[nodiscard]] Result<void> end() const { return unmount_beneath(path_); }

private:
    std::string path_;
};

class IntoDataset final : public RootImport {
public:
    IntoDataset(ImportDirectory place, JailDirectories jails, freebsd::Datasets datasets)
        : place_(std::move(place)),
          jails_(std::move(jails)),
          datasets_(std::move(datasets)),
          mount_(place_.path() / "root") {}

    [[nodiscard]] int directory() const override { return place_.directory().get(); }

    Result<void> begin(JailId id, const model::RootSpec& root) override {
        id_ = id;
        const auto made = place_.make_root();
        if (!made) return std::unexpected(made.error());
        const auto jail = jails_.make(id);
        if (!jail) return std::unexpected(jail.error());
        // The name is written down before there is such a dataset: none is ever forgotten.
        const auto name = datasets_.name(id);
        if (auto written = freebsd::write_dataset(jail->get(), name); !written) return written;
        if (auto ensured = datasets_.ensure(id); !ensured) return ensured;
        if (root.storage != model::Storage{})
            if (auto set = freebsd::Datasets::set_storage(name, root.storage); !set) return set;
        const auto mounted = mount_.begin(name, false);
        return mounted ? Result<void>{} : std::unexpected(mounted.error());
    }

    Result<void> finish() override {
        {
            const auto root = files::open_beneath(place_.directory().get(), "root", O_RDONLY | O_DIRECTORY);
            if (!root) return std::unexpected(root.error());
            if (auto synced = files::sync_filesystem(root->get()); !synced) return synced;
        }
        if (auto gone = mount_.end(); !gone) return gone;
        const auto jail = jails_.make(id_);
        if (!jail) return std::unexpected(jail.error());
        // What the dataset is mounted on when the jail starts.
        const auto point = place::directory(jail->get(), "root", 0755);
        if (!point) return std::unexpected(point.error());
        return jails_.mark_prepared(jail->get());
    }

private:
    ImportDirectory place_;
    JailDirectories jails_;
    freebsd::Datasets datasets_;
    HeldMount mount_;  // goes before the directory that it is on
    JailId id_;
};

std::string parent_of_dataset(const std::string& dataset) {
    return dataset.substr(0, dataset.rfind('/'));
}

}  // namespace

Result<void> FreeBsdTransfers::clear() {
    for (const char* one : {kExports, ImportDirectory::kImports})
        if (auto gone = unmount_beneath(jails_.state() / one); !gone) return gone;
    const auto state = files::open_directory(jails_.state());
    if (!state) return std::unexpected(state.error());
    if (auto gone = files::remove_tree(state->get(), kExports); !gone) return gone;
    return directories_.clear();
}

Result<bool> FreeBsdTransfers::readable(JailId id) {
    const auto name = freebsd::dataset_in(jails_.path(id));
    if (!name) return std::unexpected(name.error());
    return !*name;
}

Result<HeldTree> FreeBsdTransfers::open(JailId id) {
    const auto name = freebsd::dataset_in(jails_.path(id));
    if (!name) return std::unexpected(name.error());
    auto place = directories_.open(id);  // of a dataset, only what it is mounted on
    if (!place || !*name) return place;
    return hold(**name);
}

Result<HeldTree> FreeBsdTransfers::open(const SnapshotKey& key) {
    const auto name = freebsd::dataset_in(jails_.path(key.jail));
    if (!name) return std::unexpected(name.error());
    if (!*name) return directories_.open(key);
    const auto snapshot = freebsd::JailDatasets(instance_, parent_of_dataset(**name), key.jail).find(key);
    if (!snapshot) return std::unexpected(snapshot.error());
    if (!*snapshot)
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "open_root",
                                     .detail = "the pool has no snapshot " + std::to_string(key.id.value),
                                     .reason = "snapshot_missing"});
    return hold((*snapshot)->name);
}

/// A dataset or a snapshot, mounted for reading.
Result<HeldTree> FreeBsdTransfers::hold(const std::string& source) const {
    const auto state = files::open_directory(jails_.state());
    if (!state) return std::unexpected(state.error());
    // Each has a place of its own: two exports of the same snapshot may overlap.
    static std::atomic<unsigned> made{0};
    const auto place = std::filesystem::path(kExports) / std::to_string(++made);
    if (auto point = files::make_directories(state->get(), place, 0700); !point) return std::unexpected(point.error());
    auto held = std::make_shared<HeldMount>(jails_.state() / place);
    auto root = held->begin(source, true);
    if (!root) return std::unexpected(root.error());
    return HeldTree{.held = std::move(held), .directory = *std::move(root)};
}

Result<std::unique_ptr<RootImport>> FreeBsdTransfers::import() {
    if (!datasets_.configured()) return directories_.import();
    auto place = ImportDirectory::create(jails_.state());
    if (!place) return std::unexpected(place.error());
    return std::make_unique<IntoDataset>(*std::move(place), jails_, datasets_);
}

}  // namespace jaild::kernel
