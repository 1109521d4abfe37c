#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "core/base/path_walk.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

void write(const TempDirectory& directory, const char* name, std::string_view content) {
    value_of(files::write_atomic(directory.fd(), name, content, 0644));
}

unsigned mode_of(const fs::path& path) {
    struct stat seen {};
    REQUIRE(::lstat(path.c_str(), &seen) == 0);
    return seen.st_mode & 07777U;
}

/// Both ways of opening: the kernel's own where it has one, and the walk of FreeBSD and old Linux.
Result<UniqueFd> open_both(int directory, const fs::path& relative, int flags) {
    auto opened = files::open_beneath(directory, relative, flags);
    const auto components = files::split_relative(relative);
    auto walked = components ? files::open_by_walk(directory, *components, flags, 0)
                             : Result<UniqueFd>(std::unexpected(components.error()));
    CHECK(opened.has_value() == walked.has_value());
    return opened;
}

}  // namespace

TEST_CASE("a file is opened beneath its directory", "[files]") {
    const TempDirectory directory;
    value_of(files::make_directories(directory.fd(), "a/b", 0755));
    write(directory, "a/b/file", "content");
    CHECK(open_both(directory.fd(), "a/b/file", O_RDONLY).has_value());
    CHECK(open_both(directory.fd(), "a/b", O_RDONLY | O_DIRECTORY).has_value());
    CHECK(open_both(directory.fd(), ".", O_RDONLY | O_DIRECTORY).has_value());
    CHECK(error_of(open_both(directory.fd(), "a/b/none", O_RDONLY)).code == Errc::not_found);
    const auto fd = value_of(files::open_beneath(directory.fd(), "a/b/file", O_RDONLY));
    CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("no path leads out of its directory", "[files]") {
    const TempDirectory directory;
    value_of(files::make_directories(directory.fd(), "a", 0755));
    const auto path = GENERATE(as<std::string>{}, "", "/", "/no-such-directory/file", "..", "../x", "a/..", "a/../..",
                               "a//b", "a/", "./a", "a/.", std::string("a\0b", 3));
    INFO(path);
    CHECK(error_of(open_both(directory.fd(), path, O_RDONLY)).name() == "invalid_path");
    CHECK(error_of(files::make_directories(directory.fd(), path, 0755)).name() == "invalid_path");
    CHECK_FALSE(files::write_atomic(directory.fd(), path, "x", 0644).has_value());
    CHECK_FALSE(files::read(directory.fd(), path, 100).has_value());
}

TEST_CASE("no symbolic link is followed, wherever it points", "[files]") {
    const TempDirectory directory;
    const TempDirectory outside;
    write(outside, "secret", "secret");
    value_of(files::make_directories(directory.fd(), "real", 0755));
    write(directory, "real/file", "fine");
    fs::create_directory_symlink(outside.path(), directory.path() / "out");
    fs::create_symlink(outside.path() / "secret", directory.path() / "file");
    fs::create_directory_symlink("real", directory.path() / "inside");
    const auto* path = GENERATE("out/secret", "file", "inside/file", "inside", "out");
    INFO(path);
    CHECK(open_both(directory.fd(), path, O_RDONLY).has_value() == false);
    CHECK(open_both(directory.fd(), path, O_PATH).has_value() == false);
    CHECK_FALSE(files::read(directory.fd(), path, 100).has_value());
    CHECK_FALSE(files::make_directories(directory.fd(), fs::path(path) / "new", 0755).has_value());
    CHECK_FALSE(fs::exists(outside.path() / "new"));
}

TEST_CASE("writing over a symbolic link replaces the link, not what it points to", "[files]") {
    const TempDirectory directory;
    const TempDirectory outside;
    write(outside, "victim", "old");
    fs::create_symlink(outside.path() / "victim", directory.path() / "file");
    write(directory, "file", "new");
    CHECK(value_of(files::read(outside.fd(), "victim", 100)) == "old");
    CHECK(value_of(files::read(directory.fd(), "file", 100)) == "new");
}

TEST_CASE("a directory that is swapped for a link all the time never leads outside", "[files]") {
    const TempDirectory directory;
    const TempDirectory outside;
    write(outside, "file", "outside");
    value_of(files::make_directories(directory.fd(), "dir", 0755));
    write(directory, "dir/file", "inside");
    fs::create_directory_symlink(outside.path(), directory.path() / "link");
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
        const auto at = [&](const char* name) { return directory.path() / name; };
        std::error_code ignored;
        while (!stop) {
            fs::rename(at("dir"), at("aside"), ignored);
            fs::rename(at("link"), at("dir"), ignored);
            fs::rename(at("dir"), at("link"), ignored);
            fs::rename(at("aside"), at("dir"), ignored);
        }
    });
    int inside = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto read = files::read(directory.fd(), "dir/file", 100);
        if (read && *read != "inside") FAIL_CHECK("a link was followed");
        if (read) ++inside;
    }
    stop = true;
    swapper.join();
    CHECK(inside > 0);
}

TEST_CASE("directories and files get exactly their mode, whatever the umask", "[files]") {
    const TempDirectory directory;
    const auto before = ::umask(077);
    value_of(files::make_directories(directory.fd(), "a/b", 0755));
    value_of(files::write_atomic(directory.fd(), "a/b/file", "x", 0644));
    ::umask(before);
    CHECK(mode_of(directory.path() / "a") == 0755);
    CHECK(mode_of(directory.path() / "a/b") == 0755);
    CHECK(mode_of(directory.path() / "a/b/file") == 0644);
    CHECK(value_of(files::make_directories(directory.fd(), "a/b", 0700)).get() >= 0);
    CHECK(mode_of(directory.path() / "a/b") == 0755);  // it was there
}

TEST_CASE("a file is read up to its limit and not beyond", "[files]") {
    const TempDirectory directory;
    write(directory, "file", std::string(100, 'x'));
    CHECK(value_of(files::read(directory.fd(), "file", 100)).size() == 100);
    CHECK(error_of(files::read(directory.fd(), "file", 99)).code == Errc::exhausted);
    CHECK(value_of(files::read(directory.path() / "file", 100)).size() == 100);
    CHECK(error_of(files::read(directory.path() / "none", 100)).code == Errc::not_found);
}

TEST_CASE("what is no regular file is refused without waiting for it", "[files]") {
    const TempDirectory directory;
    REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);
    value_of(files::make_directories(directory.fd(), "dir", 0755));
    for (const auto* name : {"fifo", "dir"}) {
        CHECK(error_of(files::read(directory.fd(), name, 100)).name() == "not_a_file");
        CHECK(error_of(files::read(directory.path() / name, 100)).name() == "not_a_file");
        CHECK(error_of(files::open_file(directory.fd(), name, O_RDWR)).name() == "not_a_file");
    }
}

TEST_CASE("a write replaces the whole file and leaves nothing else behind", "[files]") {
    const TempDirectory directory;
    write(directory, "file", "a long first content");
    write(directory, "file", "short");
    CHECK(value_of(files::read(directory.fd(), "file", 100)) == "short");
    value_of(files::make_directories(directory.fd(), "taken", 0755));
    CHECK_FALSE(files::write_atomic(directory.fd(), "taken", "x", 0644).has_value());
    const auto entries = std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator());
    CHECK(entries == 2);
}
