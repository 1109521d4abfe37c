#include "core/base/copy_tree.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "core/base/spawn.h"
#include "tests/tree_facts.h"
#include "tests/unit/base/playground.h"

#ifdef __linux__
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#endif

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// A tree to copy, and where to.
class Copying : public Playground {
public:
    Copying() {
        fs::create_directories(source());
        fs::create_directories(target());
    }
    [[nodiscard]] fs::path source() const { return home() / "source"; }
    [[nodiscard]] fs::path target() const { return home() / "target"; }
    [[nodiscard]] Result<files::CopyTotals> copy(const files::CopyOptions& options = {}) const {
        const auto from = value_of(files::open_directory(source()));
        const auto to = value_of(files::open_directory(target()));
        return files::copy_tree(from.get(), to.get(), options);
    }
    void empty_target() const { value_of(files::empty_directory(value_of(files::open_directory(target())).get())); }
};

void set_time(const fs::path& path, time_t seconds) {
    const std::array<timespec, 2> times{timespec{seconds, 1'000}, timespec{seconds, 123'456'000}};
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) FAIL("utimensat " << path);
}

}  // namespace

TEST_CASE("a copy has all that its original has: kinds, modes, times, contents, links", "[copy_tree]") {
    const Copying place;
    const auto& tree = place.source();
    fs::create_directories(tree / "a/b/c");
    write(tree / "a/file", "some text");
    write(tree / "a/empty", "");
    write(tree / "a/b/large", std::string(3'000'000, 'z') + "end");
    fs::create_directory_symlink(place.outside(), tree / "a/link");
    fs::create_symlink("no where", tree / "dangling");
    fs::create_hard_link(tree / "a/file", tree / "a/b/same");
    fs::create_hard_link(tree / "a/file", tree / "zz");
    fs::create_hard_link(tree / "dangling", tree / "a/same link");
    REQUIRE(::mkfifo((tree / "a/fifo").c_str(), 0600) == 0);
    REQUIRE(::chmod((tree / "a/file").c_str(), 04751) == 0);
    REQUIRE(::chmod((tree / "a/fifo").c_str(), 0622) == 0);
    REQUIRE(::chmod((tree / "a/b").c_str(), 03770) == 0);
    REQUIRE(::chmod((tree / "a/b/c").c_str(), 0500) == 0);
    REQUIRE(::chmod(tree.c_str(), 01755) == 0);
    for (const char* path : {"a/b/large", "a/file", "a/link", "a/fifo", "a/b/c", "a/b", "a", "."})
        set_time(tree / path, 1'000'000'000);

    const auto totals = value_of(place.copy());
    CHECK(tree_facts(place.target()) == tree_facts(tree));
    CHECK(totals.entries == tree_facts(tree).size());
    CHECK(totals.bytes == 9 + 3'000'003);
    CHECK(totals.left_out == 0);
    CHECK(fs::equivalent(place.target() / "a/file", place.target() / "zz"));
    CHECK(lstat_of(place.target() / "dangling").st_ino == lstat_of(place.target() / "a/same link").st_ino);
    CHECK(place.untouched());
}

TEST_CASE("a copy belongs to the same users", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    write(place.source() / "file", "x");
    fs::create_symlink("file", place.source() / "link");
    fs::create_directories(place.source() / "dir");
    REQUIRE(::mkfifo((place.source() / "fifo").c_str(), 0600) == 0);
    for (const char* name : {"file", "link", "dir", "fifo"})
        REQUIRE(::lchown((place.source() / name).c_str(), 1234, 2345) == 0);
    REQUIRE(::chmod((place.source() / "file").c_str(), 06755) == 0);
    value_of(place.copy());
    CHECK(tree_facts(place.target()) == tree_facts(place.source()));
}

TEST_CASE("a hard link that leads out of the tree becomes a file of its own", "[copy_tree]") {
    const Copying place;
    fs::create_hard_link(place.outside() / "victim", place.source() / "file");
    value_of(place.copy());
    CHECK(fs::hard_link_count(place.target() / "file") == 1);
    write(place.target() / "file", "changed");
    CHECK(content_of(place.outside() / "victim") == "x");
}

TEST_CASE("holes stay holes", "[copy_tree]") {
    const Copying place;
    constexpr off_t kSize = 64 << 20;
    const auto make = [&](const char* name, off_t at) {
        const UniqueFd fd(::open((place.source() / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        REQUIRE(::ftruncate(fd.get(), kSize) == 0);
        if (at >= 0) REQUIRE(::pwrite(fd.get(), "data", 4, at) == 4);
    };
    make("nothing", -1);
    make("begin", 0);
    make("middle", kSize / 2);
    make("end", kSize - 4);
    value_of(place.copy());
    for (const char* name : {"nothing", "begin", "middle", "end"}) {
        INFO(name);
        const auto seen = lstat_of(place.target() / name);
        CHECK(seen.st_size == kSize);
        CHECK(seen.st_blocks * 512 < 1 << 20);
        CHECK(content_of(place.target() / name) == content_of(place.source() / name));
    }
}

TEST_CASE("sockets and devices are left out, and named", "[copy_tree][root]") {
    const Copying place;
    fs::create_directories(place.source() / "dir");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = (place.source() / "dir/socket").string();
    REQUIRE(path.copy(address.sun_path, sizeof address.sun_path - 1) == path.size());
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    auto expected = std::vector<std::string>{"dir/socket"};
#ifdef __linux__
    if (is_root()) {
        REQUIRE(::mknod((place.source() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
        expected.emplace_back("null");
    }
#endif
    auto totals = value_of(place.copy());
    std::ranges::sort(totals.first_left_out);
    CHECK(totals.first_left_out == expected);
    CHECK(totals.left_out == expected.size());
    CHECK(fs::is_empty(place.target() / "dir"));
    CHECK_FALSE(fs::exists(place.target() / "null"));
}

TEST_CASE("of an outlined directory only itself is made", "[copy_tree]") {
    const Copying place;
    fs::create_directories(place.source() / "usr/lib/deep");
    fs::create_directories(place.source() / "usr/local");
    fs::create_directories(place.source() / "lib");
    touch(place.source() / "usr/lib/file");
    touch(place.source() / "usr/local/file");
    touch(place.source() / "lib/file");
    REQUIRE(::chmod((place.source() / "usr/lib").c_str(), 0751) == 0);
    set_time(place.source() / "usr/lib", 1'000'000'000);
    value_of(place.copy({.outlines = {"usr/lib"}}));
    CHECK(fs::is_empty(place.target() / "usr/lib"));
    CHECK(facts_of(place.target() / "usr/lib") == facts_of(place.source() / "usr/lib"));
    CHECK(fs::exists(place.target() / "usr/local/file"));
    CHECK(fs::exists(place.target() / "lib/file"));
}

TEST_CASE("a copy is made into an empty directory only", "[copy_tree]") {
    const Copying place;
    touch(place.source() / "file");
    touch(place.target() / "other");
    CHECK(error_of(place.copy()).name() == "not_empty");
    place.empty_target();
    value_of(place.copy());
    CHECK_FALSE(fs::exists(place.target() / "other"));
}

TEST_CASE("a copy ends when it is told to", "[copy_tree]") {
    const Copying place;
    for (int i = 0; i < 20; ++i) write(place.source() / std::to_string(i), "text");
    const auto at = GENERATE(0U, 1U, 7U, 20U);
    const auto error =
        error_of(place.copy({.go_on = [&](const files::CopyTotals& totals) { return totals.entries < at; }}));
    CHECK(error.name() == "interrupted");
    CHECK(error.code == Errc::busy);
    CHECK(tree_facts(place.target()).size() <= at + 1U);
}

TEST_CASE("a copy of one large file ends when it is told to", "[copy_tree]") {
    const Copying place;
    const UniqueFd fd(::open((place.source() / "large").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    const std::string block(1 << 20, 'x');
    for (int i = 0; i < 40; ++i) REQUIRE(::write(fd.get(), block.data(), block.size()) == 1 << 20);
    const auto error =
        error_of(place.copy({.go_on = [](const files::CopyTotals& totals) { return totals.bytes == 0; }}));
    CHECK(error.name() == "interrupted");
}

TEST_CASE("copying uses up descriptors neither by depth nor by width, and keeps links across both", "[copy_tree]") {
    const Copying place;
    auto current = value_of(files::open_directory(place.source()));
    for (int depth = 0; depth < 1200; ++depth) current = value_of(files::make_directories(current.get(), "dddd", 0755));
    // Deeper than one path may be long.
    const UniqueFd bottom(::openat(current.get(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    REQUIRE(bottom);
    REQUIRE(::linkat(current.get(), "bottom", current.get(), "again", 0) == 0);
    for (int i = 0; i < 2500; ++i) fs::create_directories(place.source() / "wide" / std::to_string(i));
    for (int i = 0; i < 50; ++i) touch(place.source() / "wide" / ("f" + std::to_string(i)));
    const auto top = value_of(files::open_directory(place.source()));
    REQUIRE(::linkat(current.get(), "bottom", top.get(), "top", 0) == 0);

    const auto totals = value_of(place.copy());
    CHECK(totals.entries == 1 + 1200 + 3 + 1 + 2500 + 50);
    CHECK(std::distance(fs::directory_iterator(place.target() / "wide"), fs::directory_iterator()) == 2550);
    CHECK(lstat_of(place.target() / "top").st_nlink == 3);
}

TEST_CASE("a tree in which directories become links meanwhile is copied without what they lead to",
          "[copy_tree][attack]") {
    const Copying place;
    constexpr int kDirectories = 40;
    constexpr int kSwaps = 10'000;
    write(place.outside() / "file", "outside");
    fs::create_directories(place.home() / "aside");
    for (int i = 0; i < kDirectories; ++i) {
        const auto directory = place.source() / std::to_string(i);
        fs::create_directories(directory / "sub");
        write(directory / "file", "inside");
        write(directory / "sub/file", "inside");
        REQUIRE(::mkfifo((place.home() / "aside" / ("fifo" + std::to_string(i))).c_str(), 0600) == 0);
    }
    std::atomic<bool> stop = false;
    std::atomic<int> swaps = 0;
    std::thread swapper([&] {
        std::error_code ignored;
        for (int i = 0; !stop; i = (i + 1) % kDirectories, ++swaps) {
            const auto name = std::to_string(i);
            const auto directory = place.source() / name;
            const auto aside = place.home() / "aside" / name;
            fs::rename(directory, aside, ignored);
            fs::create_directory_symlink(place.outside(), directory, ignored);
            // A file becomes a FIFO that nobody writes to.
            const auto fifo = place.home() / "aside" / ("fifo" + name);
            const auto file = place.home() / "aside" / ("file" + name);
            fs::rename(aside / "file", file, ignored);
            fs::rename(fifo, aside / "file", ignored);
            fs::remove(directory, ignored);
            fs::rename(aside, directory, ignored);
            fs::rename(directory / "file", fifo, ignored);
            fs::rename(file, directory / "file", ignored);
        }
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    int copies = 0;
    while (swaps < kSwaps && std::chrono::steady_clock::now() < deadline) {
        const auto copied = place.copy();
        // It may give up, but only with "busy": somebody is at it.
        if (!copied && copied.error().code != Errc::busy) FAIL_CHECK(copied.error().to_string());
        copies += copied ? 1 : 0;
        for (const auto& entry : fs::recursive_directory_iterator(place.target()))
            if (entry.symlink_status().type() == fs::file_type::regular && content_of(entry) == "outside")
                FAIL_CHECK(entry.path() << " is what a link led to");
        place.empty_target();
    }
    stop = true;
    swapper.join();
    INFO(copies << " copies came to an end");
    CHECK(swaps >= kSwaps);
    CHECK(place.untouched());
    CHECK(std::distance(fs::directory_iterator(place.outside()), fs::directory_iterator()) == 2);
    CHECK(lstat_of(place.outside() / "victim").st_uid == ::geteuid());
    value_of(place.copy());
    CHECK(tree_facts(place.target()) == tree_facts(place.source()));
}

TEST_CASE("a copy whose own directories become links meanwhile writes nothing where they lead", "[copy_tree][attack]") {
    const Copying place;
    constexpr int kDirectories = 40;
    constexpr int kSwaps = 3'000;
    for (int i = 0; i < kDirectories; ++i) {
        fs::create_directories(place.source() / std::to_string(i) / "sub");
        for (int file = 0; file < 4; ++file) touch(place.source() / std::to_string(i) / std::to_string(file));
    }
    fs::create_directories(place.home() / "aside");
    const auto before = tree_facts(place.outside());
    std::atomic<bool> stop = false;
    std::atomic<int> swaps = 0;
    std::thread swapper([&] {
        for (int i = 0; !stop; i = (i + 1) % kDirectories) {
            const auto directory = place.target() / std::to_string(i);
            const auto aside = place.home() / "aside" / std::to_string(swaps);
            std::error_code failed;
            fs::rename(directory, aside, failed);
            if (failed) continue;
            fs::create_directory_symlink(place.outside(), directory, failed);
            ++swaps;
            fs::remove_all(aside, failed);
        }
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (swaps < kSwaps && std::chrono::steady_clock::now() < deadline) {
        static_cast<void>(place.copy());
        static_cast<void>(files::empty_directory(value_of(files::open_directory(place.target())).get()));
    }
    stop = true;
    swapper.join();
    CHECK(swaps >= kSwaps);
    CHECK(tree_facts(place.outside()) == before);
    CHECK(place.untouched());
}

#ifdef __linux__

TEST_CASE("a copy does not go on into what is mounted beneath the tree", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    fs::create_directories(place.source() / "a/mnt");
    touch(place.source() / "a/file");
    const auto* kind = GENERATE("tmpfs", "bind", "file");
    INFO(kind);
    const std::string text = kind;
    TestMount mount(text == "tmpfs"  ? "tmpfs"
                    : text == "file" ? (place.outside() / "victim").c_str()
                                     : place.outside().c_str(),
                    place.source() / (text == "file" ? "a/file" : "a/mnt"), text == "tmpfs" ? "tmpfs" : nullptr,
                    text == "tmpfs" ? 0 : MS_BIND);
    REQUIRE(mount.mounted());
    const auto error = error_of(place.copy());
    CHECK(error.name() == "mount_beneath");
    CHECK(error.op == "copy_tree");
    mount.unmount();
    place.empty_target();
    value_of(place.copy());
}

TEST_CASE("a copy goes over to another file system, and back", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    const TestMount mount("tmpfs", place.target(), "tmpfs", 0);
    REQUIRE(mount.mounted());
    fs::create_directories(place.source() / "dir");
    write(place.source() / "dir/file", std::string(700'000, 'x'));
    write(place.source() / "small", "y");
    REQUIRE(::truncate((place.source() / "small").c_str(), 1 << 20) == 0);
    value_of(place.copy());
    CHECK(tree_facts(place.target()) == tree_facts(place.source()));
    CHECK(lstat_of(place.target() / "small").st_blocks * 512 < 1 << 19);

    const TempDirectory back;
    const auto from = value_of(files::open_directory(place.target()));
    value_of(files::copy_tree(from.get(), back.fd()));
    CHECK(tree_facts(back.path()) == tree_facts(place.source()));
}

TEST_CASE("a full file system ends a copy, and what was made can be removed", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    const TestMount mount("tmpfs", place.target(), "tmpfs", 0);
    REQUIRE(mount.mounted());
    const bool inodes = GENERATE(false, true);
    REQUIRE(::mount("tmpfs", place.target().c_str(), "tmpfs", MS_REMOUNT, inodes ? "nr_inodes=20" : "size=1m") == 0);
    for (int i = 0; i < 40; ++i) {
        fs::create_directories(place.source() / "deep" / std::to_string(i));
        write(place.source() / "deep" / std::to_string(i) / "file", std::string(inodes ? 1 : 100'000, 'x'));
    }
    const auto error = error_of(place.copy());
    CHECK(error.code == Errc::exhausted);
    CHECK(error.sys == ENOSPC);
    CHECK(error.detail.contains("deep"));
    CHECK_FALSE(error.remedy.empty());
    place.empty_target();
    CHECK(fs::is_empty(place.target()));
}

TEST_CASE("extended attributes, capabilities and ACLs are kept", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    fs::create_directories(place.source() / "dir");
    touch(place.source() / "dir/file");
    REQUIRE(::mkfifo((place.source() / "dir/fifo").c_str(), 0600) == 0);
    const std::string large(2000, 'v');
    // acl(5): user::rw-, user:1000:r--, group::r--, mask::r--, other::---, as Linux writes it (version 2).
    constexpr std::array<unsigned char, 44> kAcl{2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                                                 0, 232, 3,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                                 4, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
    // capabilities(7): version 2, cap_net_raw effective.
    constexpr std::array<unsigned char, 20> kCapability{1, 0, 0, 2, 0, 32};
    struct Wanted {
        const char* path;
        const char* name;
        const void* value;
        std::size_t size;
    };
    const auto all = std::to_array<Wanted>({{"dir/file", "user.large", large.data(), large.size()},
                                            {"dir/file", "user.empty", "", 0},
                                            {"dir/file", "trusted.jaild", "x", 1},
                                            {"dir/file", "security.capability", kCapability.data(), kCapability.size()},
                                            {"dir/file", "system.posix_acl_access", kAcl.data(), kAcl.size()},
                                            {"dir/fifo", "system.posix_acl_access", kAcl.data(), kAcl.size()},
                                            {"dir", "system.posix_acl_default", kAcl.data(), kAcl.size()},
                                            {"dir", "user.on.directory", "y", 1}});
    std::vector<Wanted> kept;
    for (const auto& wanted : all) {
        if (::setxattr((place.source() / wanted.path).c_str(), wanted.name, wanted.value, wanted.size, 0) == 0)
            kept.push_back(wanted);
        else
            WARN(wanted.name << ": not on this file system");
    }
    value_of(place.copy());
    CHECK(tree_facts(place.target()) == tree_facts(place.source()));
    for (const auto& wanted : kept) {
        INFO(wanted.path << " " << wanted.name);
        std::array<char, 4096> value{};
        const auto size = ::getxattr((place.target() / wanted.path).c_str(), wanted.name, value.data(), value.size());
        REQUIRE(size == static_cast<ssize_t>(wanted.size));
        CHECK(std::memcmp(value.data(), wanted.value, wanted.size) == 0);
    }
}

#else

TEST_CASE("file flags are kept, and an immutable file with two names has them in the copy", "[copy_tree][root]") {
    if (!is_root()) return;
    const Copying place;
    fs::create_directories(place.source() / "dir");
    write(place.source() / "dir/file", "x");
    fs::create_hard_link(place.source() / "dir/file", place.source() / "again");
    write(place.source() / "plain", "x");
    REQUIRE(::lchflags((place.source() / "dir/file").c_str(), SF_IMMUTABLE) == 0);
    REQUIRE(::lchflags((place.source() / "plain").c_str(), UF_NODUMP) == 0);
    REQUIRE(::lchflags((place.source() / "dir").c_str(), SF_NOUNLINK) == 0);
    value_of(place.copy());
    constexpr auto kFlags = static_cast<unsigned>(SF_IMMUTABLE | UF_NODUMP | SF_NOUNLINK);
    for (const char* path : {"dir/file", "again", "plain", "dir"}) {
        INFO(path);
        CHECK((lstat_of(place.target() / path).st_flags & kFlags) ==
              (lstat_of(place.source() / path).st_flags & kFlags));
    }
    CHECK(lstat_of(place.target() / "again").st_nlink == 2);
    value_of(files::remove_tree(place.fd(), "target"));
    value_of(files::remove_tree(place.fd(), "source"));
}

#endif
