#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/spawn.h"
#include "tests/temp_directory.h"

#ifdef __linux__
#include <sys/mount.h>
#endif

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

void touch(const fs::path& path) {
    std::ofstream(path) << "x";
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 4096; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a tree goes with all that is in it, and nothing beside it", "[remove_tree]") {
    const TempDirectory directory;
    const TempDirectory outside;
    touch(outside.path() / "victim");
    fs::create_directories(directory.path() / "tree/a/b/c");
    fs::create_directories(directory.path() / "beside");
    touch(directory.path() / "tree/a/file");
    fs::create_directory_symlink(outside.path(), directory.path() / "tree/a/link");
    fs::create_symlink("nowhere", directory.path() / "tree/dangling");
    REQUIRE(::mkfifo((directory.path() / "tree/fifo").c_str(), 0600) == 0);
    fs::create_hard_link(outside.path() / "victim", directory.path() / "tree/hard");

    value_of(files::remove_tree(directory.fd(), "tree"));
    CHECK_FALSE(fs::exists(directory.path() / "tree"));
    CHECK(fs::exists(directory.path() / "beside"));
    CHECK(fs::exists(outside.path() / "victim"));
}

TEST_CASE("a missing tree is removed already", "[remove_tree]") {
    const TempDirectory directory;
    CHECK(files::remove_tree(directory.fd(), "none").has_value());
}

TEST_CASE("a link in the place of a tree is removed itself", "[remove_tree]") {
    const TempDirectory directory;
    const TempDirectory outside;
    touch(outside.path() / "victim");
    fs::create_directory_symlink(outside.path(), directory.path() / "tree");
    value_of(files::remove_tree(directory.fd(), "tree"));
    CHECK_FALSE(fs::is_symlink(directory.path() / "tree"));
    CHECK(fs::exists(outside.path() / "victim"));
}

TEST_CASE("only a name directly beneath the directory is taken", "[remove_tree]") {
    const TempDirectory directory;
    const auto name = GENERATE(as<std::string>{}, "", ".", "..", "a/b", "/", "../x", std::string("a\0b", 3));
    CHECK(error_of(files::remove_tree(directory.fd(), name)).name() == "invalid_path");
}

TEST_CASE("neither depth nor width uses up descriptors", "[remove_tree]") {
    const TempDirectory directory;
    auto current = value_of(files::make_directories(directory.fd(), "tree", 0755));
    for (int depth = 0; depth < 3000; ++depth) current = value_of(files::make_directories(current.get(), "d", 0755));
    current.reset();
    // More than one batch of subdirectories, and files between them.
    for (int i = 0; i < 5000; ++i) fs::create_directories(directory.path() / "tree" / "wide" / std::to_string(i));
    for (int i = 0; i < 500; ++i) touch(directory.path() / "tree/wide" / ("f" + std::to_string(i)));
    const auto before = open_descriptors();
    value_of(files::remove_tree(directory.fd(), "tree"));
    CHECK_FALSE(fs::exists(directory.path() / "tree"));
    CHECK(open_descriptors() == before);
}

TEST_CASE("a tree whose directories are swapped for links takes nothing outside with it", "[remove_tree]") {
    const TempDirectory directory;
    const TempDirectory outside;
    for (int i = 0; i < 100; ++i) touch(outside.path() / std::to_string(i));
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
        std::error_code ignored;
        const auto tree = directory.path() / "tree";
        while (!stop) {
            fs::create_directories(tree / "dir/sub", ignored);
            std::ofstream(tree / "dir/sub/file") << "x";
            fs::rename(tree / "dir", tree / "aside", ignored);
            fs::create_directory_symlink(outside.path(), tree / "dir", ignored);
            fs::remove(tree / "dir", ignored);
            fs::rename(tree / "aside/sub", tree / "moved", ignored);
        }
    });
    for (int i = 0; i < 300; ++i) {
        const auto removed = files::remove_tree(directory.fd(), "tree");
        // It may give up, but only with "busy": somebody is at it.
        if (!removed && removed.error().code != Errc::busy) FAIL_CHECK(removed.error().to_string());
    }
    stop = true;
    swapper.join();
    CHECK(std::distance(fs::directory_iterator(outside.path()), fs::directory_iterator()) == 100);
    value_of(files::remove_tree(directory.fd(), "tree"));
}

#ifdef __linux__

namespace {

/// A mount of the test's own, taken away again however the test ends.
class TestMount {
public:
    TestMount(const char* source, fs::path target, const char* type, unsigned long flags) : target_(std::move(target)) {
        mounted_ = ::mount(source, target_.c_str(), type, flags, "") == 0;
    }
    ~TestMount() { unmount(); }
    TestMount(const TestMount&) = delete;
    TestMount& operator=(const TestMount&) = delete;
    void unmount() {
        if (std::exchange(mounted_, false)) ::umount2(target_.c_str(), MNT_DETACH);
    }
    [[nodiscard]] bool mounted() const { return mounted_; }

private:
    fs::path target_;
    bool mounted_ = false;
};

bool is_root() {
    if (::geteuid() == 0) return true;
    WARN("not root: nothing is mounted, so nothing is tested");
    return false;
}

}  // namespace

TEST_CASE("nothing is removed while anything is mounted beneath the tree", "[remove_tree][root]") {
    if (!is_root()) return;
    const TempDirectory directory;
    const TempDirectory outside;
    touch(outside.path() / "victim");
    fs::create_directories(directory.path() / "tree/a/mnt");
    touch(directory.path() / "tree/before");
    touch(directory.path() / "tree/zzz");
    touch(directory.path() / "tree/a/file");
    // A bind of the same filesystem: its device tells nothing.
    const auto* kind = GENERATE("tmpfs", "bind", "file", "top");
    INFO(kind);
    const std::string text = kind;
    TestMount mount(text == "tmpfs"  ? "tmpfs"
                    : text == "file" ? (outside.path() / "victim").c_str()
                                     : outside.path().c_str(),
                    directory.path() / (text == "file"  ? "tree/a/file"
                                        : text == "top" ? "tree"
                                                        : "tree/a/mnt"),
                    text == "tmpfs" ? "tmpfs" : nullptr, text == "tmpfs" ? 0 : MS_BIND);
    REQUIRE(mount.mounted());

    const auto error = error_of(files::remove_tree(directory.fd(), "tree"));
    CHECK(error.code == Errc::busy);
    CHECK(error.name() == "mount_beneath");
    CHECK(fs::exists(outside.path() / "victim"));
    mount.unmount();
    CHECK(fs::exists(directory.path() / "tree/before"));
    CHECK(fs::exists(directory.path() / "tree/zzz"));
    CHECK(fs::exists(directory.path() / "tree/a/file"));

    value_of(files::remove_tree(directory.fd(), "tree"));
    CHECK_FALSE(fs::exists(directory.path() / "tree"));
}

TEST_CASE("immutable files and directories go too", "[remove_tree][root]") {
    if (!is_root()) return;
    const TempDirectory directory;
    fs::create_directories(directory.path() / "tree/dir");
    touch(directory.path() / "tree/dir/file");
    const auto changed = value_of(run({"chattr", "-R", "+i", (directory.path() / "tree").string()}));
    if (changed.exit_code != 0) {
        WARN("this filesystem has no file flags");
        return;
    }
    value_of(files::remove_tree(directory.fd(), "tree"));
    CHECK_FALSE(fs::exists(directory.path() / "tree"));
}

#endif
