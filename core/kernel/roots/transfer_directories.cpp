#include "core/kernel/roots/transfer_directories.h"

#include "core/base/files.h"
#include "core/kernel/roots/import_directory.h"

namespace jaild::kernel {
namespace {

class IntoDirectory final : public RootImport {
public:
    IntoDirectory(ImportDirectory place, JailDirectories jails) : place_(std::move(place)), jails_(std::move(jails)) {}

    [[nodiscard]] int directory() const override { return place_.directory().get(); }
    Result<void> begin(JailId id, const model::RootSpec&) override {
        id_ = id;
        const auto made = place_.make_root();
        return made ? Result<void>{} : std::unexpected(made.error());
    }
    Result<void> finish() override { return place_.move_root(jails_, id_); }

private:
    ImportDirectory place_;
    JailDirectories jails_;
    JailId id_;
};

}  // namespace

Result<void> TransferDirectories::clear() {
    return ImportDirectory::clear(jails_.state());
}

Result<HeldTree> TransferDirectories::open(JailId id) {
    const auto prepared = jails_.prepared(id);
    if (!prepared) return std::unexpected(prepared.error());
    if (!*prepared)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "open_root",
                                     .detail = "the jail has no root yet",
                                     .reason = "root_not_made",
                                     .remedy = "start it first"});
    if (auto down = jails_.check_unmounted(id, mounts_); !down) return std::unexpected(down.error());
    auto root = files::open_directory(jails_.path(id) / "root");
    if (!root) return std::unexpected(root.error());
    return HeldTree{.directory = *std::move(root)};
}

Result<HeldTree> TransferDirectories::open(const SnapshotKey& key) {
    auto root = files::open_directory(jails_.path(key.jail) / "snapshots" / std::to_string(key.id.value) / "root");
    if (!root && root.error().code == Errc::not_found) root.error().reason = "snapshot_missing";
    if (!root) return std::unexpected(root.error());
    return HeldTree{.directory = *std::move(root)};
}

Result<std::unique_ptr<RootImport>> TransferDirectories::import() {
    auto place = ImportDirectory::create(jails_.state());
    if (!place) return std::unexpected(place.error());
    return std::make_unique<IntoDirectory>(*std::move(place), jails_);
}

}  // namespace jaild::kernel
