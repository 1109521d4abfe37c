#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/spawn.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

std::ptrdiff_t entries(const fs::path& path) {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 4096; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a tree goes with all that is in it, and nothing beside it", "[remove_tree]") {
    const Playground place;
    fs::create_directories(place.home() / "tree/a/b/c");
    fs::create_directories(place.home() / "beside");
    touch(place.home() / "tree/a/file");
    fs::create_directory_symlink(place.outside(), place.home() / "tree/a/link");
    fs::create_symlink("nowhere", place.home() / "tree/dangling");
    REQUIRE(::mkfifo((place.home() / "tree/fifo").c_str(), 0600) == 0);
    fs::create_hard_link(place.outside() / "victim", place.home() / "tree/hard");

    value_of(files::remove_tree(place.fd(), "tree"));
    CHECK_FALSE(fs::exists(place.home() / "tree"));
    CHECK(fs::exists(place.home() / "beside"));
    CHECK(place.untouched());
}

TEST_CASE("a missing tree is removed already", "[remove_tree]") {
    const Playground place;
    CHECK(files::remove_tree(place.fd(), "none").has_value());
}

TEST_CASE("a link in the place of a tree is removed itself", "[remove_tree]") {
    const Playground place;
    fs::create_directory_symlink(place.outside(), place.home() / "tree");
    value_of(files::remove_tree(place.fd(), "tree"));
    CHECK_FALSE(fs::is_symlink(place.home() / "tree"));
    CHECK(place.untouched());
}

TEST_CASE("only a name directly beneath the directory is taken", "[remove_tree]") {
    const Playground place;
    const auto name =
        GENERATE(as<std::string>{}, "", ".", "..", "a/b", "/no-such-directory", "../x", std::string("a\0b", 3));
    CHECK(error_of(files::remove_tree(place.fd(), name)).name() == "invalid_path");
}

TEST_CASE("neither depth nor width uses up descriptors", "[remove_tree]") {
    const Playground place;
    auto current = value_of(files::make_directories(place.fd(), "tree", 0755));
    for (int depth = 0; depth < 1200; ++depth) current = value_of(files::make_directories(current.get(), "d", 0755));
    current.reset();
    // More than one batch of subdirectories, and files between them.
    for (int i = 0; i < 1100; ++i) fs::create_directories(place.home() / "tree" / "wide" / std::to_string(i));
    for (int i = 0; i < 50; ++i) touch(place.home() / "tree/wide" / ("f" + std::to_string(i)));
    const auto before = open_descriptors();
    value_of(files::remove_tree(place.fd(), "tree"));
    CHECK_FALSE(fs::exists(place.home() / "tree"));
    CHECK(open_descriptors() == before);
}

TEST_CASE("a tree whose directories are swapped for links takes nothing outside with it", "[remove_tree]") {
    const Playground place;
    for (int round = 0; round < 4; ++round) {
        // Many, so that a directory that was seen as one is often a link when it is entered.
        const auto aside = "aside" + std::to_string(round);
        fs::create_directories(place.home() / aside);
        for (int i = 0; i < 300; ++i) fs::create_directories(place.home() / "tree" / std::to_string(i));
        touch(place.home() / "tree/first");
        std::atomic<bool> done = false;
        std::thread swapper([&] {
            std::error_code ignored;
            // Every other time only once files go, after the look through the whole tree.
            while (round % 2 == 1 && !done && fs::exists(place.home() / "tree/first")) std::this_thread::yield();
            for (int i = 0; i < 300; ++i) {
                const auto name = std::to_string(i);
                fs::rename(place.home() / "tree" / name, place.home() / aside / name, ignored);
                fs::create_directory_symlink(place.outside(), place.home() / "tree" / name, ignored);
            }
        });
        const auto removed = files::remove_tree(place.fd(), "tree");
        done = true;
        swapper.join();
        // It may give up, but only with "busy": somebody is at it.
        if (!removed && removed.error().code != Errc::busy) FAIL_CHECK(removed.error().to_string());
        value_of(files::remove_tree(place.fd(), "tree"));
    }
    CHECK(place.untouched());
    CHECK(entries(place.outside()) == 1);
}

TEST_CASE("a directory that is moved out while it is emptied ends the removal there", "[remove_tree]") {
    const Playground place;
    const auto elsewhere = place.home() / "elsewhere";
    fs::create_directories(elsewhere / "deeper");
    touch(elsewhere / "kept");
    std::atomic<bool> stop = false;
    std::atomic<int> moves = 0;
    std::thread mover([&] {
        std::error_code ignored;
        const auto tree = place.home() / "tree";
        while (!stop) {
            fs::create_directories(tree / "dir/sub/below", ignored);
            std::error_code failed;
            fs::rename(tree / "dir/sub", elsewhere / "deeper/sub", failed);
            if (!failed) ++moves;
            fs::remove_all(elsewhere / "deeper/sub", ignored);
        }
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (moves < 300 && std::chrono::steady_clock::now() < deadline) {
        const auto removed = files::remove_tree(place.fd(), "tree");
        if (!removed && removed.error().code != Errc::busy) FAIL_CHECK(removed.error().to_string());
    }
    stop = true;
    mover.join();
    CHECK(moves >= 300);
    CHECK(fs::exists(elsewhere / "kept"));
    CHECK(place.untouched());
    value_of(files::remove_tree(place.fd(), "tree"));
}

#ifdef __linux__

TEST_CASE("nothing is removed while anything is mounted beneath the tree", "[remove_tree][root]") {
    if (!is_root()) return;
    const Playground place;
    fs::create_directories(place.home() / "tree/a/mnt");
    touch(place.home() / "tree/before");
    touch(place.home() / "tree/zzz");
    touch(place.home() / "tree/a/file");
    // A bind of the same filesystem: its device tells nothing.
    const auto* kind = GENERATE("tmpfs", "bind", "file", "top");
    INFO(kind);
    const std::string text = kind;
    TestMount mount(text == "tmpfs"  ? "tmpfs"
                    : text == "file" ? (place.outside() / "victim").c_str()
                                     : place.outside().c_str(),
                    place.home() / (text == "file"  ? "tree/a/file"
                                    : text == "top" ? "tree"
                                                    : "tree/a/mnt"),
                    text == "tmpfs" ? "tmpfs" : nullptr, text == "tmpfs" ? 0 : MS_BIND);
    REQUIRE(mount.mounted());

    const auto error = error_of(files::remove_tree(place.fd(), "tree"));
    CHECK(error.code == Errc::busy);
    CHECK(error.name() == "mount_beneath");
    CHECK(place.untouched());
    mount.unmount();
    CHECK(fs::exists(place.home() / "tree/before"));
    CHECK(fs::exists(place.home() / "tree/zzz"));
    CHECK(fs::exists(place.home() / "tree/a/file"));

    value_of(files::remove_tree(place.fd(), "tree"));
    CHECK_FALSE(fs::exists(place.home() / "tree"));
}

TEST_CASE("immutable files and directories go too", "[remove_tree][root]") {
    if (!is_root()) return;
    const Playground place;
    fs::create_directories(place.home() / "tree/dir");
    touch(place.home() / "tree/dir/file");
    const auto changed = value_of(run({"chattr", "-R", "+i", (place.home() / "tree").string()}));
    if (changed.exit_code != 0) {
        WARN("this filesystem has no file flags");
        return;
    }
    value_of(files::remove_tree(place.fd(), "tree"));
    CHECK_FALSE(fs::exists(place.home() / "tree"));
}

#endif
