#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace jaild::test {

/// A directory that nothing may touch: it has the names that a hostile root has, so that whatever follows one of that
/// root's links finds what it looks for, and a text that is seen wherever it was carried to.
class GuardedTree {
public:
    /// Made, filled, and looked at.
    explicit GuardedTree(std::filesystem::path path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// What is not as it was, in words: read, written, made, removed, mounted on. To be asked once: it reads all.
    [[nodiscard]] std::vector<std::string> changes() const;
    /// Something is mounted on one of its directories, or another stands in its place.
    [[nodiscard]] bool is_covered() const;
    /// What of this tree is beneath `copy`: names of files that hold its text. Follows no link, opens files only.
    [[nodiscard]] static std::vector<std::string> carried_to(const std::filesystem::path& copy);

private:
    [[nodiscard]] std::vector<std::filesystem::path> entries() const;

    std::filesystem::path path_;
    std::map<std::filesystem::path, struct stat> before_{};
};

}  // namespace jaild::test
