#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "core/base/spawn.h"
#include "core/templates/archive_program.h"
#include "tests/host/daemon.h"
#include "tests/tree_facts.h"
#include "tests/unit/base/playground.h"

#ifdef __linux__
#include <sys/xattr.h>
#endif

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

/// jaild-archive pack and unpack-jail. As root: both chroot(2).
namespace {

constexpr archive::Limits kPlenty{.bytes = 1U << 30, .entries = 100'000};
constexpr const char* kMetadata = "{\"name\": \"web\"}\n";

fs::path archive_program() {
    return fs::path(jaild_program()).parent_path() / "jaild-archive";
}

void same_trees(const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after) {
    CHECK(before.size() == after.size());
    for (const auto& [name, facts] : before) {
        INFO(name);
        CHECK((after.contains(name) ? after.at(name) : "missing") == facts);
    }
}

/// A jail's tree, its archive, and where that is unpacked.
class Exporting : public Playground {
public:
    Exporting() {
        fs::create_directories(tree());
        fs::create_directories(target());
    }
    [[nodiscard]] fs::path tree() const { return home() / "tree"; }
    [[nodiscard]] fs::path place() const { return home() / "place"; }
    [[nodiscard]] fs::path target() const { return place() / "root"; }
    [[nodiscard]] fs::path file() const { return home() / "web.jaild"; }

    [[nodiscard]] Result<archive::Done> pack(const std::string& metadata = kMetadata) const {
        const UniqueFd to(::open(file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        return program_.pack(value_of(files::open_directory(tree())).get(), metadata, to.get(), watch_,
                             [] { return false; });
    }
    [[nodiscard]] Result<archive::Done> unpack(const archive::Limits& limits = kPlenty) const {
        const UniqueFd from(::open(file().c_str(), O_RDONLY | O_CLOEXEC));
        return unpack_from(from.get(), limits);
    }
    [[nodiscard]] Result<archive::Done> unpack_from(int from, const archive::Limits& limits = kPlenty) const {
        return program_.unpack_jail(
            from, value_of(files::open_directory(place())).get(), limits,
            [this](const std::string& metadata) -> Result<void> {
                metadata_ = metadata;
                empty_when_asked_ = fs::is_empty(target());
                if (refuse_) return std::unexpected(Error::invalid("name_taken", "/name", "there is a jail web"));
                return {};
            },
            watch_, [] { return false; });
    }
    void refuse() { refuse_ = true; }
    void empty_target() const { value_of(files::empty_directory(value_of(files::open_directory(target())).get())); }
    [[nodiscard]] const std::string& metadata() const { return metadata_; }
    [[nodiscard]] bool empty_when_asked() const { return empty_when_asked_; }
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
    [[nodiscard]] const templates::ArchiveProgram& program() const { return program_; }
    [[nodiscard]] const templates::ArchiveProgram::Watch& watch() const { return watch_; }

private:
    templates::ArchiveProgram program_{archive_program()};
    bool refuse_ = false;
    mutable std::string metadata_{};
    mutable bool empty_when_asked_ = false;
    mutable std::vector<std::string> warnings_{};
    templates::ArchiveProgram::Watch watch_ = [this](const archive::Report& report) {
        if (const auto* warning = std::get_if<archive::Warning>(&report)) warnings_.push_back(warning->text);
    };
};

void fill_file(const fs::path& path, std::string_view text, mode_t mode = 0644) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    if (::chmod(path.c_str(), mode) != 0) FAIL("chmod " << path);
}

void set_times(const fs::path& path, time_t seconds) {
    const std::array<timespec, 2> times{timespec{seconds, 0}, timespec{seconds, 123'456'000}};
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) FAIL("utimensat " << path);
}

void make_socket(const fs::path& path) {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.native().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(listener);
}

/// All kinds of entries that a jail's root can make.
void furnish(const fs::path& tree) {
    fill_file(tree / "etc/motd", "hello\n", 0640);
    fill_file(tree / "usr/bin/su", "program", 04755);
    fill_file(tree / "empty", "");
    fill_file(tree / "large", std::string(3'000'000, 'x'));
    fs::create_hard_link(tree / "etc/motd", tree / "etc/motd.again");
    fs::create_symlink("/etc/motd", tree / "absolute");
    fs::create_symlink("../../../../../../outside", tree / "climbs");
    fs::create_symlink("nowhere\n\x1b", tree / "usr/dangling");
    fs::create_directories(tree / "tmp/none");
    REQUIRE(::chmod((tree / "tmp").c_str(), 01777) == 0);
    REQUIRE(::mkfifo((tree / "tmp/fifo").c_str(), 0600) == 0);
    fill_file(tree / "a\nb \x1b[2J\"\\*", "awkward");
    const UniqueFd holes(::open((tree / "holes").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::ftruncate(holes.get(), off_t{1} << 28) == 0);
    REQUIRE(::pwrite(holes.get(), "data", 4, off_t{128} << 20) == 4);
    REQUIRE(::lchown((tree / "etc/motd").c_str(), 1001, 1002) == 0);
    REQUIRE(::lchown((tree / "absolute").c_str(), 1003, 1004) == 0);
    REQUIRE(::lchown((tree / "tmp/none").c_str(), 5, 6) == 0);
    for (const char* name : {"etc/motd", "absolute", "tmp/fifo", "tmp", "usr", "."})
        set_times(tree / name, 1'000'000'000);
}

}  // namespace

TEST_CASE("a jail's tree comes out of its archive as it went in", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    furnish(place.tree());
#ifdef __linux__
    fill_file(place.tree() / "bytes\xff", "not UTF-8");
    fs::create_symlink("\xfe", place.tree() / "link of bytes");
    const bool attributes = ::setxattr((place.tree() / "etc/motd").c_str(), "user.kept", "yes", 3, 0) == 0;
#endif
    set_times(place.tree(), 1'000'000'000);
    const auto before = tree_facts(place.tree());
    const auto packed = value_of(place.pack());
    CHECK(packed.count.read == fs::file_size(place.file()));
    CHECK(packed.count.entries == before.size());
    CHECK(packed.count.bytes < 10'000'000);  // holes are not read
    const auto unpacked = value_of(place.unpack());
    CHECK(unpacked.count == packed.count);
    CHECK(unpacked.sha256 == packed.sha256);
    CHECK(place.warnings() == std::vector<std::string>());
    CHECK(place.metadata() == kMetadata);
    CHECK(place.empty_when_asked());
    same_trees(before, tree_facts(place.target()));
    CHECK(lstat_of(place.target() / "etc/motd").st_ino == lstat_of(place.target() / "etc/motd.again").st_ino);
    CHECK(lstat_of(place.target() / "holes").st_blocks * 512 < 10'000'000);
#ifdef __linux__
    std::array<char, 8> value{};
    if (attributes)
        CHECK(::getxattr((place.target() / "etc/motd").c_str(), "user.kept", value.data(), value.size()) == 3);
#endif
    CHECK(place.untouched());
}

TEST_CASE("sockets are left out of an archive, and named", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    fill_file(place.tree() / "file", "x");
    make_socket(place.tree() / "socket");
    CHECK(value_of(place.pack()).count.entries == 2);
    CHECK(place.warnings() == std::vector<std::string>{"\"socket\": a socket or a device, left out"});
    value_of(place.unpack());
    CHECK_FALSE(fs::exists(fs::symlink_status(place.target() / "socket")));
}

TEST_CASE("an archive goes through a pipe from one program to the other", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    furnish(place.tree());
    auto pipe = value_of(Pipe::create());
    Result<archive::Done> packed;
    std::thread packer([&] {
        packed = place.program().pack(
            value_of(files::open_directory(place.tree())).get(), kMetadata, pipe.write.get(),
            [](const archive::Report&) {}, [] { return false; });
        pipe.write.reset();
    });
    const auto unpacked = place.unpack_from(pipe.read.get());
    pipe.read.reset();
    packer.join();
    CHECK(value_of(packed).sha256 == value_of(unpacked).sha256);
    same_trees(tree_facts(place.tree()), tree_facts(place.target()));
}

TEST_CASE("whoever does not like the metadata gets nothing unpacked", "[export][root]") {
    if (!is_root()) return;
    Exporting place;
    furnish(place.tree());
    value_of(place.pack());
    place.refuse();
    CHECK(error_of(place.unpack()).name() == "name_taken");
    CHECK(place.metadata() == kMetadata);
    CHECK(fs::is_empty(place.target()));
}

TEST_CASE("an archive that was cut off anywhere is refused", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    fill_file(place.tree() / "etc/motd", "hello\n");
    fill_file(place.tree() / "file", "more");
    const auto packed = value_of(place.pack());
    const auto size = packed.count.read;
    for (const auto length : {std::uint64_t{0}, std::uint64_t{1}, size / 4, size / 2, size * 3 / 4, size - 1}) {
        value_of(place.pack());
        fs::resize_file(place.file(), length);
        const auto error = error_of(place.unpack());
        INFO(length << " of " << size << ": " << error.to_string());
        CHECK(error.code == Errc::invalid);
        place.empty_target();
    }
}

TEST_CASE("an archive of another kind, or made by hand, is refused", "[export][root][attack]") {
    if (!is_root()) return;
    const Exporting place;
    fs::create_directories(place.tree() / "root/etc");
    fill_file(place.tree() / "root/etc/motd", "hello\n");
    fill_file(place.tree() / "jaild-export.json", "{}");
    fill_file(place.tree() / "jaild-export.sum", "sha256 0\nentries 0\nbytes 0\n");
    fill_file(place.tree() / "elsewhere", "x");
    const auto tar = [&](std::vector<std::string> names) {
        Argv argv{"tar", "-cf", place.file(), "-C", place.tree()};
        argv.insert(argv.end(), names.begin(), names.end());
        REQUIRE(value_of(run(argv)).exit_code == 0);
        const auto unpacked = place.unpack();
        place.empty_target();
        return error_of(unpacked).name();
    };
    CHECK(tar({"root"}) == "no_export");
    CHECK(tar({"jaild-export.json", "root"}) == "archive_incomplete");
    CHECK(tar({"jaild-export.json", "root", "jaild-export.sum"}) == "archive_damaged");
    CHECK(tar({"jaild-export.json", "elsewhere"}) == "no_export");
    CHECK(tar({"jaild-export.json", "jaild-export.json"}) == "no_export");
    CHECK(place.untouched());
}

TEST_CASE("a jail's archive is bounded, and so is its metadata", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    furnish(place.tree());
    CHECK(error_of(place.pack(std::string(archive::kMetadataBytes + 1, 'x'))).name() == "pack_failed");
    const std::string largest(archive::kMetadataBytes, '\n');
    value_of(place.pack(largest));
    CHECK(error_of(place.unpack({.bytes = 1'000'000, .entries = 1'000})).name() == "archive_too_large");
    CHECK(place.metadata() == largest);
    place.empty_target();
    CHECK(error_of(place.unpack({.bytes = 1U << 30, .entries = 5})).name() == "too_many_entries");
}

TEST_CASE("a packer whose reader goes ends", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    furnish(place.tree());
    auto pipe = value_of(Pipe::create());
    pipe.read.reset();
    const auto packed = place.program().pack(value_of(files::open_directory(place.tree())).get(), kMetadata,
                                             pipe.write.get(), place.watch(), [] { return false; });
    CHECK(error_of(packed).name() == "reader_gone");
    const auto interrupted = place.program().pack(value_of(files::open_directory(place.tree())).get(), kMetadata,
                                                  pipe.write.get(), place.watch(), [] { return true; });
    CHECK(error_of(interrupted).name() == "interrupted");
}

#ifdef __linux__

TEST_CASE("nothing that is mounted in a jail's tree gets into its archive", "[export][root]") {
    if (!is_root()) return;
    const Exporting place;
    furnish(place.tree());
    const TestMount mount("tmpfs", place.tree() / "tmp/none", "tmpfs", 0);
    REQUIRE(mount.mounted());
    CHECK(error_of(place.pack()).name() == "mount_beneath");
}

#endif
