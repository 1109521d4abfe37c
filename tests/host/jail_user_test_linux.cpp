#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/files.h"
#include "core/kernel/linux/jail_user.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::test;

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "# a comment\n"
    "www:x:80:80::/srv/www:\n"
    "1000:x:7:7::/seven:/bin/sh\n"
    "thousand:x:1000:1000::/home/t:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\n"
    "www:x:80:www\n"
    "video:x:44:thousand,www\n"
    "twice:x:44:www\n"
    "audio:x:29:www2,xwww\n";

struct Root {
    std::filesystem::path path;
    Root() {
        std::string name = "/tmp/jaild-user-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
        std::filesystem::create_directories(path / "etc");
    }
    ~Root() { std::filesystem::remove_all(path); }
    void write(const char* name, std::string_view text) const { std::ofstream(path / "etc" / name) << text; }
    [[nodiscard]] Result<JailUser> find(const std::string& user) const {
        return find_user_in(value_of(files::open_directory(path)).get(), user);
    }
};

}  // namespace

TEST_CASE("a user is found by name or number, with groups", "[user]") {
    CHECK(find_user(kPasswd, kGroup, "root")->uid == 0);
    const auto www = value_of(find_user(kPasswd, kGroup, "www"));
    CHECK(www == JailUser{.uid = 80, .gid = 80, .groups = {44}, .name = "www", .home = "/srv/www", .shell = "/bin/sh"});
    CHECK(value_of(find_user(kPasswd, kGroup, "80")) == www);
    CHECK(value_of(find_user(kPasswd, kGroup, "1000")).uid == 7);  // a name goes before a number
    CHECK(error_of(find_user(kPasswd, kGroup, "nobody")).code == Errc::not_found);
    CHECK(error_of(find_user(kPasswd, kGroup, "4711")).code == Errc::not_found);
    CHECK(error_of(find_user(kPasswd, kGroup, "")).code == Errc::not_found);
}

TEST_CASE("a line of passwd that is not exactly one is none", "[user]") {
    const auto line =
        GENERATE("eve:x:0", "eve:x:0:0:::/bin/sh:more", "eve:x:-1:0:::", "eve:x:0x0:0:::", "eve:x: 0:0:::",
                 "eve:x::0:::", "eve:x:4294967295:0:::", "eve:x:0:4294967296:::", "eve:x:0:0:\r::", "eve:x:+0:0:::");
    CHECK(error_of(find_user(line, "", "eve")).code == Errc::not_found);
}

TEST_CASE("a jail's passwd is read in the jail and nowhere else", "[user]") {
    const Root root;
    CHECK(value_of(root.find("root")).uid == 0);  // no passwd at all
    CHECK(error_of(root.find("www")).code == Errc::not_found);
    root.write("passwd", "www:x:80:80::/:\n");
    CHECK(value_of(root.find("www")).uid == 80);
    CHECK(error_of(root.find("root")).code == Errc::not_found);

    SECTION("not through a link") {
        std::filesystem::remove(root.path / "etc/passwd");
        std::filesystem::create_symlink("/etc/passwd", root.path / "etc/passwd");
        CHECK_FALSE(root.find("root"));
    }
    SECTION("not through a directory that is a link") {
        std::filesystem::remove_all(root.path / "etc");
        std::filesystem::create_symlink("/etc", root.path / "etc");
        CHECK_FALSE(root.find("root"));
    }
    SECTION("not from a FIFO, which nobody writes to") {
        std::filesystem::remove(root.path / "etc/passwd");
        REQUIRE(::mkfifo((root.path / "etc/passwd").c_str(), 0600) == 0);
        CHECK_FALSE(root.find("root"));
    }
    SECTION("not without end") {
        root.write("passwd", std::string(2 << 20, 'x'));
        CHECK_FALSE(root.find("root"));
    }
    SECTION("a group file that cannot be read is no empty one") {
        REQUIRE(::mkfifo((root.path / "etc/group").c_str(), 0600) == 0);
        CHECK_FALSE(root.find("www"));
    }
}
