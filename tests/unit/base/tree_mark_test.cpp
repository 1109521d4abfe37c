#include "core/base/tree_mark.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "core/base/files.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

void write_marked(const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
}

/// bin/sh and its hard link bin/ash, etc/issue, lib -> bin, var/db/catalogue
class MarkedTree {
public:
    MarkedTree() {
        for (const char* name : {"bin", "etc", "var/db"}) fs::create_directories(play.home() / name);
        write_marked(play.home() / "bin/sh", "#!sh");
        fs::create_hard_link(play.home() / "bin/sh", play.home() / "bin/ash");
        write_marked(play.home() / "etc/issue", "hello");
        write_marked(play.home() / "var/db/catalogue", "1");
        fs::create_symlink("bin", play.home() / "lib");
    }
    [[nodiscard]] files::TreeMark mark() const { return value_of(files::mark_tree(play.fd(), {"var"}, {})); }

    /// What is changed from now on has a later time than what was: the kernel's clock of files has ticked.
    void wait_for_tick() const {
        const auto probe = play.outside() / "probe";
        const auto time = [&] {
            write_marked(probe, "x");
            struct stat seen {};
            REQUIRE(::stat(probe.c_str(), &seen) == 0);
            return std::pair(seen.st_ctim.tv_sec, seen.st_ctim.tv_nsec);
        };
        const auto before = time();
        while (time() == before) {
        }
    }

    Playground play;
};

}  // namespace

TEST_CASE("a tree's mark counts entries, and bytes of hard links once", "[files][tree_mark]") {
    const MarkedTree tree;
    const auto seen = tree.mark();
    CHECK(seen.entries == 10);  // the top, four directories, four files, a link
    CHECK(seen.bytes == 4 + 5 + 1);
    CHECK(tree.mark().mark == seen.mark);
}

TEST_CASE("a tree's mark changes with whatever changes outside of what is left aside", "[files][tree_mark]") {
    const MarkedTree tree;
    const auto home = tree.play.home();
    const auto before = tree.mark().mark;
    tree.wait_for_tick();

    SECTION("a file that is longer") {
        write_marked(home / "etc/issue", "hello again");
    }
    SECTION("a file that is another of the same size") {
        fs::remove(home / "etc/issue");
        write_marked(home / "etc/other", "hello");
        fs::rename(home / "etc/other", home / "etc/issue");
    }
    SECTION("a file that is written again, with the time that it had") {
        const auto time = fs::last_write_time(home / "etc/issue");
        write_marked(home / "etc/issue", "holla");
        fs::last_write_time(home / "etc/issue", time);
    }
    SECTION("a name") {
        fs::rename(home / "etc/issue", home / "etc/motd");
    }
    SECTION("a mode") {
        ::chmod((home / "bin").c_str(), 0700);
    }
    SECTION("a directory that is new") {
        fs::create_directory(home / "opt");
    }
    SECTION("one that is gone") {
        fs::remove(home / "lib");
    }
    SECTION("where a link leads") {
        fs::remove(home / "lib");
        fs::create_symlink("bon", home / "lib");
    }
    SECTION("a directory left aside that is gone") {
        fs::remove_all(home / "var");
    }
    CHECK(tree.mark().mark != before);
}

TEST_CASE("what comes and goes, and what is left aside, does not change a tree's mark", "[files][tree_mark]") {
    const MarkedTree tree;
    const auto home = tree.play.home();
    const auto before = tree.mark().mark;
    write_marked(home / "etc/temporary", "x");
    fs::remove(home / "etc/temporary");
    write_marked(home / "var/db/catalogue", "2, longer");
    write_marked(home / "var/db/new", "x");
    CHECK(tree.mark().mark == before);
    fs::create_directories(home / "etc/var/db");  // only the top's own is left aside
    CHECK(tree.mark().mark != before);
}

TEST_CASE("looking through a tree can be ended", "[files][tree_mark]") {
    const MarkedTree tree;
    int asked = 0;
    const auto ended = files::mark_tree(tree.play.fd(), {}, [&] { return ++asked < 3; });
    REQUIRE_FALSE(ended);
    CHECK(ended.error().reason == "interrupted");
    CHECK(asked == 3);
}
