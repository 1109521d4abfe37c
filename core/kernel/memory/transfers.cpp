#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>

#include "core/base/files.h"
#include "core/kernel/memory/ports.h"
#include "core/kernel/roots/import_directory.h"

namespace jaild::kernel::memory {
namespace {

/// The model's whole tree as a file.
constexpr const char* kContent = "content";
constexpr std::size_t kContentBytes = 32;

Error no_such_tree(std::string detail, std::string_view reason) {
    return {.code = reason == "root_not_made" ? Errc::conflict : Errc::not_found,
            .op = "open_root",
            .detail = std::move(detail),
            .reason = reason};
}

class IntoMemory final : public RootImport {
public:
    IntoMemory(World& world, ImportDirectory place) : world_(world), place_(std::move(place)) {}

    [[nodiscard]] int directory() const override { return place_.directory().get(); }
    Result<void> begin(JailId id, const model::RootSpec& root) override {
        id_ = id;
        root_ = root;
        const auto made = place_.make_root();
        return made ? Result<void>{} : std::unexpected(made.error());
    }
    Result<void> finish() override {
        const auto root = files::open_beneath(place_.directory().get(), "root", O_RDONLY | O_DIRECTORY);
        if (!root) return std::unexpected(root.error());
        // An archive from elsewhere has no such file.
        const auto text = files::read(root->get(), kContent, kContentBytes).value_or("0");
        std::int64_t content = 0;
        std::from_chars(text.data(), text.data() + text.size(), content);
        const std::lock_guard lock(world_.mutex);
        return world_.faults.step("transfers.finish", [&]() -> Result<void> {
            auto& held = world_.state.directories[id_];
            held.content = content;
            held.root = root_;
            held.tree = held.etc = held.prepared = true;
            return {};
        });
    }

private:
    World& world_;
    ImportDirectory place_;
    JailId id_;
    model::RootSpec root_;
};

}  // namespace

Result<void> MemoryTransfers::clear() {
    return ImportDirectory::clear(world_.driver.state_directory);
}

Result<HeldTree> MemoryTransfers::write_out(std::int64_t content) {
    auto place = ImportDirectory::create(world_.driver.state_directory);
    if (!place) return std::unexpected(place.error());
    const auto held = std::make_shared<ImportDirectory>(*std::move(place));
    auto root = held->make_root();
    if (!root) return std::unexpected(root.error());
    auto written = files::write_atomic(root->get(), kContent, std::to_string(content), 0644);
    if (!written) return std::unexpected(written.error());
    return HeldTree{.held = held, .directory = *std::move(root)};
}

Result<HeldTree> MemoryTransfers::open(JailId id) {
    std::int64_t content = 0;
    {
        const std::lock_guard lock(world_.mutex);
        const auto* held = world_.directory(id);
        if (!held || !held->prepared) return std::unexpected(no_such_tree("the jail has no root yet", "root_not_made"));
        if (world_.prison(id)) world_.violate(fmt::format("the root of jail {} is read while it is there", id.value));
        content = held->content;
    }
    return write_out(content);
}

Result<HeldTree> MemoryTransfers::open(const SnapshotKey& key) {
    std::int64_t content = 0;
    {
        const std::lock_guard lock(world_.mutex);
        const auto* held = world_.directory(key.jail);
        const bool there = held && held->snapshots.contains(key.id) && held->snapshots.at(key.id).whole;
        if (!there) return std::unexpected(no_such_tree("the snapshot is not on disk", "snapshot_missing"));
        content = held->snapshots.at(key.id).content;
    }
    return write_out(content);
}

Result<std::unique_ptr<RootImport>> MemoryTransfers::import() {
    auto place = ImportDirectory::create(world_.driver.state_directory);
    if (!place) return std::unexpected(place.error());
    return std::make_unique<IntoMemory>(world_, *std::move(place));
}

}  // namespace jaild::kernel::memory
