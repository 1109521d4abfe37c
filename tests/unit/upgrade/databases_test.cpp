#include "core/upgrade/databases.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
using namespace jaild::upgrade;
namespace fs = std::filesystem;

namespace {

std::string read_whole(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

/// An /etc, and programs that do what FreeBSD's do, as far as files go.
class Databases : public Playground {
public:
    Databases() {
        fs::create_directories(etc());
        fs::create_directories(scratch());
        program("pwd_mkdb",
                "[ $# = 4 ] && [ \"$1 $2\" = '-p -d' ] && [ \"$3/master.passwd\" = \"$4\" ] || exit 64\n"
                "grep -q '^root:' \"$4\" || { echo 'pwd_mkdb: at line #1' >&2; exit 1; }\n"
                "sed 's/^/db /' \"$4\" >\"$3/pwd.db\"; sed 's/^/sdb /' \"$4\" >\"$3/spwd.db\"; "
                "sed 's/^/text /' \"$4\" >\"$3/passwd\"\n");
        program("cap_mkdb", "sed 's/^/cap /' \"$1\" >\"$1.db\"\n");
    }
    [[nodiscard]] fs::path etc(const fs::path& name = {}) const { return home() / "etc" / name; }
    [[nodiscard]] fs::path scratch() const { return home() / "scratch"; }
    [[nodiscard]] Result<void> make() const {
        return make_databases(value_of(files::open_directory(etc())).get(), scratch(),
                              {.pwd_mkdb = home() / "pwd_mkdb", .cap_mkdb = home() / "cap_mkdb"});
    }

private:
    void program(const char* name, const char* text) const {
        std::ofstream(home() / name) << "#!/bin/sh\n" << text;
        fs::permissions(home() / name, fs::perms::owner_all);
    }
};

}  // namespace

TEST_CASE("databases are made from the text beside them", "[upgrade][databases]") {
    const Databases place;
    std::ofstream(place.etc("master.passwd")) << "root:x\n";
    std::ofstream(place.etc("login.conf")) << "default:\n";
    std::ofstream(place.etc("pwd.db")) << "old";
    value_of(place.make());
    CHECK(read_whole(place.etc("pwd.db")) == "db root:x\n");
    CHECK(read_whole(place.etc("spwd.db")) == "sdb root:x\n");
    CHECK(read_whole(place.etc("passwd")) == "text root:x\n");
    CHECK(read_whole(place.etc("login.conf.db")) == "cap default:\n");
    CHECK(read_whole(place.etc("master.passwd")) == "root:x\n");
    struct stat seen {};
    REQUIRE(::stat(place.etc("spwd.db").c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0600);
    REQUIRE(::stat(place.etc("pwd.db").c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0644);
    for (const auto& name : database_files()) CHECK(fs::exists(place.etc(name)));
}

TEST_CASE("links in a hostile /etc lead the programs nowhere", "[upgrade][databases][attack]") {
    const Databases place;
    const auto victim = place.outside() / "victim";
    std::ofstream(place.etc("master.passwd")) << "root:x\n";
    for (const char* name : {"pwd.db", "spwd.db", "passwd"}) fs::create_symlink(victim, place.etc(name));
    fs::create_symlink(victim, place.etc("login.conf"));
    fs::create_symlink(victim, place.etc("login.conf.db"));
    value_of(place.make());
    CHECK(read_whole(victim) == "x");
    CHECK(fs::is_regular_file(fs::symlink_status(place.etc("pwd.db"))));
    CHECK(read_whole(place.etc("pwd.db")) == "db root:x\n");
    CHECK(fs::is_symlink(place.etc("login.conf.db")));
    CHECK(place.untouched());
}

TEST_CASE("a text that the program does not take is told of", "[upgrade][databases]") {
    const Databases place;
    std::ofstream(place.etc("master.passwd")) << "<<<<<<<\n";
    const auto error = error_of(place.make());
    CHECK(error.name() == "program_failed");
    CHECK(error.detail.find("at line #1") != std::string::npos);
    CHECK_FALSE(fs::exists(place.etc("pwd.db")));
}

TEST_CASE("without texts nothing is made", "[upgrade][databases]") {
    const Databases place;
    fs::create_directories(place.etc("master.passwd"));
    value_of(place.make());
    CHECK(std::distance(fs::directory_iterator(place.etc()), fs::directory_iterator()) == 1);
}
