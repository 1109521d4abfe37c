#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "tests/catch.h"

namespace jaild::test {

/// A failed test when there is none.
inline struct stat lstat_of(const std::filesystem::path& path) {
    struct stat seen {};
    if (::lstat(path.c_str(), &seen) != 0) FAIL("lstat " << path);
    return seen;
}

inline std::string content_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

enum class Facts {
    whole,       ///< all that a copy has to keep
    unconcerned  ///< about times and numbers of links
};

inline std::string facts_of(const std::filesystem::path& path, Facts which = Facts::whole) {
    const auto seen = lstat_of(path);
    std::ostringstream text;
    text << std::oct << seen.st_mode << std::dec << " " << seen.st_uid << ":" << seen.st_gid;
    if (which == Facts::whole) text << " " << seen.st_mtim.tv_sec << "." << seen.st_mtim.tv_nsec;
    if (which == Facts::whole && !S_ISDIR(seen.st_mode)) text << " links " << seen.st_nlink;
    if (S_ISREG(seen.st_mode)) text << " size " << seen.st_size << " " << std::hash<std::string>{}(content_of(path));
    if (S_ISLNK(seen.st_mode)) text << " to " << std::filesystem::read_symlink(path).string();
    return text.str();
}

/// Of all that there is in a tree and of itself ("."), by relative path.
inline std::map<std::string, std::string> tree_facts(const std::filesystem::path& tree, Facts which = Facts::whole) {
    std::map<std::string, std::string> all{{".", facts_of(tree, which)}};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree))
        all[entry.path().lexically_relative(tree)] = facts_of(entry.path(), which);
    return all;
}

}  // namespace jaild::test
