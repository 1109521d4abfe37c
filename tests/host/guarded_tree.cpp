#include "tests/host/guarded_tree.h"

#include <fcntl.h>

#include <array>

#include "tests/catch.h"
#include "tests/host/text_files.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kText = "of the host, and nobody else's\n";

struct stat seen_of(const fs::path& path) {
    struct stat seen {};
    if (::lstat(path.c_str(), &seen) != 0) seen.st_ino = 0;
    return seen;
}

bool same_time(const timespec& one, const timespec& other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::string change(const struct stat& before, const struct stat& now) {
    if (now.st_ino == 0) return "gone";
    if (!same_file(before, now)) return "another one, or something is mounted on it";
    if (before.st_mode != now.st_mode || before.st_uid != now.st_uid || before.st_gid != now.st_gid)
        return "another mode or owner";
    if (before.st_size != now.st_size || before.st_nlink != now.st_nlink) return "another size, or more or less links";
    if (!same_time(before.st_mtim, now.st_mtim)) return "written";
    if (!same_time(before.st_ctim, now.st_ctim)) return "changed";
    if (!same_time(before.st_atim, now.st_atim)) return "read";
    return {};
}

}  // namespace

GuardedTree::GuardedTree(fs::path path) : path_(std::move(path)) {
    for (const char* directory : {"etc/conf.d", "srv/data", "srv/tmp", "usr/bin", "usr/lib", "var/db/sub", "var/log",
                                  "dev", "proc", "sys", "tmp", "sub/deep"})
        fs::create_directories(path_ / directory);
    for (const char* file :
         {"etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/motd", "etc/service.conf", "etc/conf.d/a",
          "etc/conf.d/b", "srv/data/file", "usr/bin/sh", "usr/bin/tool", "usr/lib/library", "var/db/sub/one",
          "var/db/sub/two", "var/log/file", "dev/null", "sub/deep/file", "of-the-host"})
        write_file(path_ / file, kText);
    // A time of access before that of the last change, so that any reading moves it (mount(8), relatime).
    const std::array times{timespec{0, 0}, timespec{1'000'000'000, 0}};
    for (const auto& entry : entries()) {
        REQUIRE(::utimensat(AT_FDCWD, entry.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) == 0);
        before_[entry] = seen_of(entry);
    }
}

std::vector<fs::path> GuardedTree::entries() const {
    std::vector<fs::path> all{path_};
    for (const auto& entry : fs::recursive_directory_iterator(path_)) all.push_back(entry.path());
    return all;
}

std::vector<std::string> GuardedTree::changes() const {
    std::vector<std::string> found;
    // Before anything is looked into, which is seen in its time of access.
    for (const auto& [path, before] : before_)
        if (const auto what = change(before, seen_of(path)); !what.empty())
            found.push_back(path.string() + ": " + what);
    for (const auto& entry : entries())
        if (!before_.contains(entry)) found.push_back(entry.string() + ": new");
    for (const auto& [path, before] : before_)
        if (S_ISREG(before.st_mode) && read_file(path) != kText) found.push_back(path.string() + ": another content");
    return found;
}

bool GuardedTree::is_covered() const {
    for (const auto& [path, before] : before_)
        if (S_ISDIR(before.st_mode) && !same_file(before, seen_of(path))) return true;
    return false;
}

std::vector<std::string> GuardedTree::carried_to(const fs::path& copy) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(copy))
        if (entry.symlink_status().type() == fs::file_type::regular &&
            (entry.path().filename() == "of-the-host" || read_file(entry.path()).contains(kText)))
            found.push_back(entry.path());
    return found;
}

}  // namespace jaild::test
