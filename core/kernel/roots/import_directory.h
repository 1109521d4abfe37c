#pragma once

#include <filesystem>
#include <string>

#include "core/base/unique_fd.h"
#include "core/kernel/roots/jail_directories.h"

namespace jaild::kernel {

/// `<state>/imports/<name>` (0700, root's), in which a program unpacks an archive into `root`. Destroyed with all that
/// is in it. Blocking.
class ImportDirectory {
public:
    static Result<ImportDirectory> create(const std::filesystem::path& state);
    ImportDirectory(ImportDirectory&&) = default;
    ImportDirectory& operator=(ImportDirectory&&) = delete;
    ~ImportDirectory();

    [[nodiscard]] const UniqueFd& directory() const { return directory_; }
    [[nodiscard]] std::filesystem::path path() const { return state_ / kImports / name_; }
    /// Makes `root`, 0755.
    [[nodiscard]] Result<UniqueFd> make_root() const;
    /// What is in `root` is on disk, and becomes the jail's root, with its mark.
    [[nodiscard]] Result<void> move_root(const JailDirectories& jails, JailId id) const;

    /// All of them go: a daemon has just started.
    static Result<void> clear(const std::filesystem::path& state);

    static constexpr const char* kImports = "imports";

private:
    ImportDirectory(std::filesystem::path state, UniqueFd all, std::string name, UniqueFd directory)
        : state_(std::move(state)), all_(std::move(all)), name_(std::move(name)), directory_(std::move(directory)) {}

    std::filesystem::path state_;
    UniqueFd all_;
    std::string name_;
    UniqueFd directory_;
};

}  // namespace jaild::kernel
