#include "core/kernel/roots/import_directory.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "core/base/files.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {

Result<ImportDirectory> ImportDirectory::create(const std::filesystem::path& state) {
    static std::atomic<unsigned> made{0};
    const auto own = files::open_directory(state);
    if (!own) return std::unexpected(own.error());
    auto all = files::make_directories(own->get(), kImports, 0700);
    if (!all) return std::unexpected(all.error());
    auto name = std::to_string(++made);
    if (auto gone = files::remove_tree(all->get(), name); !gone) return std::unexpected(gone.error());
    auto directory = files::make_directories(all->get(), name, 0700);
    if (!directory) return std::unexpected(directory.error());
    return ImportDirectory(state, *std::move(all), std::move(name), *std::move(directory));
}

ImportDirectory::~ImportDirectory() {
    if (!all_) return;  // moved from
    directory_.reset();
    // The next daemon tries again.
    if (auto gone = files::remove_tree(all_.get(), name_); !gone)
        spdlog::warn("{}: {}", path().string(), gone.error().to_string());
}

Result<UniqueFd> ImportDirectory::make_root() const {
    return place::directory(directory_.get(), "root", 0755);
}

Result<void> ImportDirectory::move_root(const JailDirectories& jails, JailId id) const {
    const auto root = files::open_beneath(directory_.get(), "root", O_RDONLY | O_DIRECTORY);
    if (!root) return std::unexpected(root.error());
    // The mark must not vouch for files that a power failure could still empty.
    if (auto synced = files::sync_filesystem(root->get()); !synced) return synced;
    const auto jail = jails.make(id);
    if (!jail) return std::unexpected(jail.error());
    if (auto gone = files::remove_tree(jail->get(), "root"); !gone) return gone;
    if (::renameat(directory_.get(), "root", jail->get(), "root") != 0)
        return std::unexpected(Error::from_errno("renameat", errno, "root"));
    return jails.mark_prepared(jail->get());
}

Result<void> ImportDirectory::clear(const std::filesystem::path& state) {
    const auto own = files::open_directory(state);
    if (!own) return std::unexpected(own.error());
    return files::remove_tree(own->get(), kImports);
}

}  // namespace jaild::kernel
