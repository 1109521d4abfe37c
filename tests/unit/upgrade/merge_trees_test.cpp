#include "core/upgrade/merge_trees.h"

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
#include <random>
#include <sstream>
#include <thread>

#include "tests/tree_facts.h"
#include "tests/unit/base/playground.h"

#ifdef __linux__
#include <sys/xattr.h>
#endif

using namespace jaild;
using namespace jaild::test;
using namespace jaild::upgrade;
namespace fs = std::filesystem;

namespace {

using Conflicts = std::vector<Conflict>;

/// Three trees, and what becomes of them.
class Merging : public Playground {
public:
    Merging() {
        for (const char* tree : {"base", "theirs", "ours", "target"}) fs::create_directories(home() / tree);
    }
    [[nodiscard]] fs::path base(const fs::path& name = {}) const { return home() / "base" / name; }
    [[nodiscard]] fs::path theirs(const fs::path& name = {}) const { return home() / "theirs" / name; }
    [[nodiscard]] fs::path ours(const fs::path& name = {}) const { return home() / "ours" / name; }
    [[nodiscard]] fs::path target(const fs::path& name = {}) const { return home() / "target" / name; }

    static void put(const fs::path& file, std::string_view text, mode_t mode = 0644) {
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << text;
        if (::chmod(file.c_str(), mode) != 0) FAIL("chmod " << file);
    }
    /// The same in all trees.
    void everywhere(const fs::path& name, std::string_view text) const {
        for (const auto& tree : {base(), theirs(), ours()}) put(tree / name, text);
    }
    [[nodiscard]] Result<MergeReport> try_merge(const MergeOptions& options = {}) const {
        const Opened trees(*this);
        return try_merge_trees(trees.get(), options);
    }
    [[nodiscard]] Result<MergeReport> merge(const MergeOptions& options = {}) const {
        const Opened trees(*this);
        return merge_trees(trees.get(), value_of(files::open_directory(target())).get(), options);
    }
    /// With a trial before, which must say the same.
    [[nodiscard]] MergeReport merged(const MergeOptions& options = {}) const {
        const auto tried = value_of(try_merge(options));
        CHECK(fs::is_empty(target()));
        const auto report = value_of(merge(options));
        CHECK(report == tried);
        CHECK(untouched());
        return report;
    }
    void empty_target() const { value_of(files::empty_directory(value_of(files::open_directory(target())).get())); }

private:
    class Opened {
    public:
        explicit Opened(const Merging& place)
            : base_(value_of(files::open_directory(place.base()))),
              theirs_(value_of(files::open_directory(place.theirs()))),
              ours_(value_of(files::open_directory(place.ours()))) {}
        [[nodiscard]] Trees get() const { return {.base = base_.get(), .theirs = theirs_.get(), .ours = ours_.get()}; }

    private:
        UniqueFd base_;
        UniqueFd theirs_;
        UniqueFd ours_;
    };
};

void change_time(const fs::path& path, time_t seconds) {
    const std::array<timespec, 2> times{timespec{seconds, 0}, timespec{seconds, 0}};
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) FAIL("utimensat " << path);
}

constexpr const char* kText = "one\ntwo\nthree\nfour\nfive\n";

}  // namespace

TEST_CASE("what only one side changed is taken from it", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("same", "same");
    place.everywhere("rc.d/sshd", "old");
    Merging::put(place.theirs("rc.d/sshd"), "new");
    place.everywhere("motd", "old");
    Merging::put(place.ours("motd"), "mine");
    Merging::put(place.theirs("rc.d/added"), "added");
    Merging::put(place.ours("local/only"), "mine");
    Merging::put(place.base("gone"), "old");
    Merging::put(place.ours("gone"), "old");
    Merging::put(place.base("unwanted"), "old");
    Merging::put(place.theirs("unwanted"), "old");
    place.everywhere("both", "old");
    Merging::put(place.ours("both"), "fixed");
    Merging::put(place.theirs("both"), "fixed");
    fs::create_symlink("../usr/share/zoneinfo/UTC", place.base("localtime"));
    fs::create_symlink("../usr/share/zoneinfo/UTC", place.theirs("localtime"));
    fs::create_symlink("../usr/share/zoneinfo/Europe/Paris", place.ours("localtime"));

    const auto report = place.merged();
    CHECK(report == MergeReport{.updated = 1, .added = 1, .removed = 1, .kept = 5});
    CHECK(content_of(place.target("same")) == "same");
    CHECK(content_of(place.target("rc.d/sshd")) == "new");
    CHECK(content_of(place.target("motd")) == "mine");
    CHECK(content_of(place.target("rc.d/added")) == "added");
    CHECK(content_of(place.target("local/only")) == "mine");
    CHECK_FALSE(fs::exists(place.target("gone")));
    CHECK_FALSE(fs::exists(place.target("unwanted")));
    CHECK(content_of(place.target("both")) == "fixed");
    CHECK(fs::read_symlink(place.target("localtime")) == "../usr/share/zoneinfo/Europe/Paris");
}

TEST_CASE("a text that both changed is merged, with the jail's mode and the later time", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("ssh/sshd_config", kText);
    Merging::put(place.ours("ssh/sshd_config"), "ONE\ntwo\nthree\nfour\nfive\n", 0600);
    Merging::put(place.theirs("ssh/sshd_config"), "one\ntwo\nthree\nfour\nfive\nsix\n");
    change_time(place.ours("ssh/sshd_config"), 1'000);
    change_time(place.theirs("ssh/sshd_config"), 2'000);
    CHECK(place.merged() == MergeReport{.merged = 1});
    CHECK(content_of(place.target("ssh/sshd_config")) == "ONE\ntwo\nthree\nfour\nfive\nsix\n");
    const auto made = lstat_of(place.target("ssh/sshd_config"));
    CHECK((made.st_mode & 07777) == 0600);
    CHECK(made.st_mtim.tv_sec == 2'000);
}

TEST_CASE("accounts of the jail and of the template come together", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("master.passwd",
                     "root:*:0:0::0:0::/root:/bin/sh\nbin:*:7:7::0:0::/:/x\nnobody:*:9:9::0:0::/:/x\n");
    Merging::put(place.ours("master.passwd"),
                 "root:$6$x:0:0::0:0::/root:/bin/sh\nbin:*:7:7::0:0::/:/x\nnobody:*:9:9::0:0::/:/x\n"
                 "web:*:1001:1001::0:0::/home/web:/bin/sh\n",
                 0600);
    Merging::put(
        place.theirs("master.passwd"),
        "root:*:0:0::0:0::/root:/bin/sh\nbin:*:7:7::0:0::/:/x\nntpd:*:8:8::0:0::/:/x\nnobody:*:9:9::0:0::/:/x\n");
    CHECK(place.merged() == MergeReport{.merged = 1});
    CHECK(content_of(place.target("master.passwd")) ==
          "root:$6$x:0:0::0:0::/root:/bin/sh\nbin:*:7:7::0:0::/:/x\nntpd:*:8:8::0:0::/:/x\nnobody:*:9:9::0:0::/:/x\n"
          "web:*:1001:1001::0:0::/home/web:/bin/sh\n");
    CHECK((lstat_of(place.target("master.passwd")).st_mode & 07777) == 0600);
}

TEST_CASE("a conflict leaves the jail's in place and the template's beside it", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("a.text", kText);
    Merging::put(place.ours("a.text"), "mine\n", 0640);
    Merging::put(place.theirs("a.text"), "theirs\n", 0444);
    place.everywhere("b.binary", std::string_view("a\0b", 3));
    Merging::put(place.ours("b.binary"), std::string_view("A\0b", 3));
    Merging::put(place.theirs("b.binary"), std::string_view("a\0B", 3));
    place.everywhere("c/large", kText);
    Merging::put(place.ours("c/large"), std::string(2'000, 'x') + "\n" + kText);
    Merging::put(place.theirs("c/large"), std::string(kText) + "six\n");
    place.everywhere("d.kind", kText);
    fs::remove(place.ours("d.kind"));
    fs::create_directory(place.ours("d.kind"));
    Merging::put(place.ours("d.kind/file"), "mine");
    Merging::put(place.theirs("d.kind"), "theirs");
    fs::create_symlink("a", place.base("e.link"));
    fs::create_symlink("b", place.ours("e.link"));
    fs::create_symlink("c", place.theirs("e.link"));
    Merging::put(place.base("f.unwanted"), "old");
    Merging::put(place.theirs("f.unwanted"), "new");
    Merging::put(place.base("g.gone"), "old");
    Merging::put(place.ours("g.gone"), "mine");
    Merging::put(place.ours("h.new-here"), "mine\n");
    Merging::put(place.theirs("h.new-here"), "theirs\n");

    const auto report = place.merged({.max_text = 1'000});
    CHECK(report.conflicted == 8);
    CHECK(report.conflicts == Conflicts{{"a.text", Reason::text, "a.text.new"},
                                        {"b.binary", Reason::binary, "b.binary.new"},
                                        {"c/large", Reason::too_large, "c/large.new"},
                                        {"d.kind", Reason::kind, "d.kind.new"},
                                        {"e.link", Reason::link, "e.link.new"},
                                        {"f.unwanted", Reason::removed_by_jail, "f.unwanted.new"},
                                        {"g.gone", Reason::removed_by_template, ""},
                                        {"h.new-here", Reason::text, "h.new-here.new"}});
    CHECK(content_of(place.target("a.text")) == "mine\n");
    CHECK((lstat_of(place.target("a.text")).st_mode & 07777) == 0640);
    CHECK(content_of(place.target("a.text.new")) == "theirs\n");
    CHECK((lstat_of(place.target("a.text.new")).st_mode & 07777) == 0444);
    CHECK(content_of(place.target("b.binary")) == std::string("A\0b", 3));
    CHECK(content_of(place.target("b.binary.new")) == std::string("a\0B", 3));
    CHECK(content_of(place.target("d.kind/file")) == "mine");
    CHECK(content_of(place.target("d.kind.new")) == "theirs");
    CHECK(fs::read_symlink(place.target("e.link")) == "b");
    CHECK(fs::read_symlink(place.target("e.link.new")) == "c");
    CHECK_FALSE(fs::exists(place.target("f.unwanted")));
    CHECK(content_of(place.target("f.unwanted.new")) == "new");
    CHECK(content_of(place.target("g.gone")) == "mine");
    CHECK_FALSE(fs::exists(place.target("g.gone.new")));
    for (const auto reason : {Reason::text, Reason::binary, Reason::too_large, Reason::link, Reason::kind,
                              Reason::removed_by_jail, Reason::removed_by_template})
        CHECK_FALSE(to_string(reason).empty());
}

TEST_CASE("a directory that one side made a link is told apart from one that nobody touched",
          "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("certs/a", "a");
    place.everywhere("mail/a", "a");
    // The template replaces both; the jail changed something in one.
    for (const char* name : {"certs", "mail"}) {
        fs::remove_all(place.theirs(name));
        fs::create_symlink("elsewhere", place.theirs(name));
    }
    Merging::put(place.ours("mail/b"), "mine");
    // The jail replaced these; the template changed something in one.
    place.everywhere("ssl/a", "a");
    place.everywhere("X11/a", "a");
    for (const char* name : {"ssl", "X11"}) {
        fs::remove_all(place.ours(name));
        fs::create_symlink("/outside", place.ours(name));
    }
    Merging::put(place.theirs("ssl/a"), "new");

    const auto report = place.merged();
    CHECK(report.conflicts == Conflicts{{"mail", Reason::kind, "mail.new"}, {"ssl", Reason::kind, "ssl.new"}});
    CHECK(fs::read_symlink(place.target("certs")) == "elsewhere");
    CHECK(content_of(place.target("mail/b")) == "mine");
    CHECK(fs::read_symlink(place.target("mail.new")) == "elsewhere");
    CHECK(fs::is_symlink(place.target("ssl")));
    CHECK(content_of(place.target("ssl.new/a")) == "new");
    CHECK(fs::is_symlink(place.target("X11")));
    CHECK_FALSE(fs::exists(place.target("X11.new")));
}

TEST_CASE("a directory goes when nothing is left in it", "[upgrade][merge_trees]") {
    const Merging place;
    for (const char* name : {"old/deep/file", "used/file"}) {
        Merging::put(place.base(name), "old");
        Merging::put(place.ours(name), "old");
    }
    Merging::put(place.ours("used/mine"), "mine");
    // The jail removed these whole; the template adds to one.
    for (const char* name : {"periodic/file", "ppp/file"}) {
        Merging::put(place.base(name), "old");
        Merging::put(place.theirs(name), "old");
    }
    Merging::put(place.theirs("periodic/added"), "added");
    fs::create_directories(place.theirs("empty"));
    const auto report = place.merged();
    CHECK(report.conflicts.empty());
    CHECK_FALSE(fs::exists(place.target("old")));
    CHECK(content_of(place.target("used/mine")) == "mine");
    CHECK_FALSE(fs::exists(place.target("used/file")));
    CHECK(content_of(place.target("periodic/added")) == "added");
    CHECK_FALSE(fs::exists(place.target("periodic/file")));
    CHECK_FALSE(fs::exists(place.target("ppp")));
    CHECK(fs::is_directory(place.target("empty")));
}

TEST_CASE("what a former upgrade left beside a file is replaced, and what somebody touched is not",
          "[upgrade][merge_trees]") {
    const Merging place;
    for (const char* name : {"a", "b", "c"}) {
        Merging::put(place.base(name), "second\n");
        Merging::put(place.ours(name), "mine\n");
        Merging::put(place.theirs(name), "third\n");
    }
    Merging::put(place.ours("a.new"), "second\n");
    Merging::put(place.ours("b.new"), "second, and looked through\n");
    Merging::put(place.ours("b.new2"), "second\n");
    // The templates have one of that name.
    for (const auto& tree : {place.base(), place.ours(), place.theirs()}) Merging::put(tree / "c.new", "second\n");
    const auto report = place.merged();
    CHECK(report.conflicts ==
          Conflicts{{"a", Reason::text, "a.new"}, {"b", Reason::text, "b.new2"}, {"c", Reason::text, "c.new2"}});
    CHECK(content_of(place.target("a.new")) == "third\n");
    CHECK(content_of(place.target("b.new")) == "second, and looked through\n");
    CHECK(content_of(place.target("b.new2")) == "third\n");
    CHECK(content_of(place.target("c.new")) == "second\n");
    CHECK(content_of(place.target("c.new2")) == "third\n");
    CHECK(report.kept == 1);
}

TEST_CASE("a conflict whose every new name is taken is listed without one", "[upgrade][merge_trees]") {
    const Merging place;
    const std::string endless(253, 'n');
    for (const std::string& name : {std::string("full"), endless}) {
        Merging::put(place.base(name), "old\n");
        Merging::put(place.ours(name), "mine\n");
        Merging::put(place.theirs(name), "theirs\n");
    }
    for (const char* suffix : {".new", ".new2", ".new3", ".new4", ".new5", ".new6", ".new7", ".new8", ".new9"})
        Merging::put(place.ours("full" + std::string(suffix)), "mine");
    const auto report = place.merged();
    CHECK(report.conflicts == Conflicts{{"full", Reason::text, ""}, {endless, Reason::text, ""}});
    CHECK(content_of(place.target("full.new9")) == "mine");
}

TEST_CASE("owner and mode are merged each for itself, and the jail's change wins", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("shadow", "x");
    Merging::put(place.theirs("shadow"), "x", 0600);  // tightened by the template
    place.everywhere("secret", "x");
    Merging::put(place.ours("secret"), "x", 0600);  // tightened by the jail, new content
    Merging::put(place.theirs("secret"), "y");
    place.everywhere("mine", "x");
    Merging::put(place.ours("mine"), "mine");
    Merging::put(place.theirs("mine"), "x", 0600);
    for (const auto& tree : {place.base(), place.ours(), place.theirs()}) fs::create_directories(tree / "ssl/private");
    REQUIRE(::chmod(place.theirs("ssl/private").c_str(), 0700) == 0);
    REQUIRE(::chmod(place.ours("ssl").c_str(), 0711) == 0);
    REQUIRE(::chmod(place.theirs("ssl").c_str(), 0700) == 0);
    REQUIRE(::chmod(place.theirs().c_str(), 0751) == 0);
    const auto report = place.merged();
    CHECK(report == MergeReport{.updated = 5});
    const auto mode = [&](const char* name) { return lstat_of(place.target(name)).st_mode & 07777; };
    CHECK(mode("shadow") == 0600);
    CHECK(mode("secret") == 0600);
    CHECK(content_of(place.target("secret")) == "y");
    CHECK(mode("mine") == 0600);
    CHECK(content_of(place.target("mine")) == "mine");
    CHECK(mode("ssl/private") == 0700);
    CHECK(mode("ssl") == 0711);
    CHECK(mode(".") == 0751);
}

TEST_CASE("owners, hard links and FIFOs are kept, and a socket is left out", "[upgrade][merge_trees][root]") {
    const Merging place;
    place.everywhere("group", kText);
    Merging::put(place.theirs("group"), std::string(kText) + "six\n");
    fs::create_hard_link(place.theirs("group"), place.theirs("group-"));
    Merging::put(place.ours("local"), "mine");
    fs::create_hard_link(place.ours("local"), place.ours("local-"));
    REQUIRE(::mkfifo(place.ours("fifo").c_str(), 0600) == 0);
    REQUIRE(::chmod(place.ours("fifo").c_str(), 0620) == 0);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = place.ours("socket").string();
    REQUIRE(name.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, name.c_str(), name.size());
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(listener);
    if (::geteuid() == 0) {
        REQUIRE(::lchown(place.theirs("group").c_str(), 0, 7) == 0);
        REQUIRE(::lchown(place.ours("local").c_str(), 1001, 1002) == 0);
    }
    const auto report = place.merged();
    CHECK(report == MergeReport{.updated = 1, .added = 1, .kept = 3, .left_out = 1});
    CHECK(lstat_of(place.target("group")).st_ino == lstat_of(place.target("group-")).st_ino);
    CHECK(lstat_of(place.target("local")).st_ino == lstat_of(place.target("local-")).st_ino);
    CHECK(S_ISFIFO(lstat_of(place.target("fifo")).st_mode));
    CHECK((lstat_of(place.target("fifo")).st_mode & 07777) == 0620);
    CHECK_FALSE(fs::exists(fs::symlink_status(place.target("socket"))));
    CHECK(lstat_of(place.target("group")).st_gid == lstat_of(place.theirs("group")).st_gid);
    CHECK(lstat_of(place.target("local")).st_uid == lstat_of(place.ours("local")).st_uid);
    CHECK(lstat_of(place.target("local")).st_gid == lstat_of(place.ours("local")).st_gid);
}

TEST_CASE("what is made from other files is no conflict", "[upgrade][merge_trees]") {
    const Merging place;
    for (const char* name : {"pwd.db", "mail/aliases.db", "passwd"}) {
        Merging::put(place.base(name), "a:old\n");
        Merging::put(place.ours(name), "a:mine\n");
        Merging::put(place.theirs(name), "a:theirs\n");
    }
    CHECK(place.merged({.derived = {"passwd"}}) == MergeReport{.kept = 3});
    CHECK(content_of(place.target("pwd.db")) == "a:mine\n");
    CHECK(content_of(place.target("passwd")) == "a:mine\n");
    place.empty_target();
    CHECK(place.merged().conflicts == Conflicts{{"passwd", Reason::text, "passwd.new"}});
}

TEST_CASE("names are bytes", "[upgrade][merge_trees]") {
    const Merging place;
    const std::string awkward = "a\nb \xff\"\\*";
    Merging::put(place.base(awkward), "old\n");
    Merging::put(place.ours(awkward), "mine\n");
    Merging::put(place.theirs(awkward), "theirs\n");
    CHECK(place.merged().conflicts == Conflicts{{awkward, Reason::text, awkward + ".new"}});
    CHECK(content_of(place.target(awkward + ".new")) == "theirs\n");
}

TEST_CASE("a hostile /etc costs no more than the bounds say", "[upgrade][merge_trees]") {
    const Merging place;
    SECTION("entries") {
        for (int i = 0; i < 300; ++i) Merging::put(place.ours("many" + std::to_string(i)), "x");
        CHECK(error_of(place.merge({.max_entries = 200})).name() == "tree_too_large");
        place.empty_target();
        CHECK(place.merged({.max_entries = 300}).kept == 300);
    }
    SECTION("entries of a directory that only the jail has") {
        for (int i = 0; i < 300; ++i) Merging::put(place.ours("own/many" + std::to_string(i)), "x");
        CHECK(error_of(place.merge({.max_entries = 200})).name() == "tree_too_large");
    }
    SECTION("a depth that only the jail has") {
        auto current = value_of(files::open_directory(place.ours()));
        for (int i = 0; i < 1'500; ++i) {
            REQUIRE(::mkdirat(current.get(), "deep", 0755) == 0);
            current = value_of(files::open_beneath(current.get(), "deep", O_RDONLY | O_DIRECTORY));
        }
        CHECK(place.merged().kept == 1);
    }
    SECTION("a depth that a template has too") {
        fs::path deep;
        for (int i = 0; i < 40; ++i) deep /= "deep";
        fs::create_directories(place.base(deep));
        fs::create_directories(place.ours(deep));
        CHECK(error_of(place.try_merge()).name() == "tree_too_deep");
    }
    SECTION("conflicts") {
        for (int i = 0; i < 30; ++i) {
            Merging::put(place.base(std::to_string(i)), "old\n");
            Merging::put(place.ours(std::to_string(i)), "mine\n");
        }
        const auto report = place.merged({.max_conflicts = 10});
        CHECK(report.conflicted == 30);
        CHECK(report.conflicts.size() == 10);
    }
    SECTION("somebody's patience") {
        place.everywhere("a", "x");
        int asked = 0;
        CHECK(error_of(place.merge({.go_on = [&] { return ++asked < 2; }})).name() == "interrupted");
    }
}

TEST_CASE("a merge goes into an empty directory only", "[upgrade][merge_trees]") {
    const Merging place;
    Merging::put(place.target("there"), "x");
    CHECK(error_of(place.merge()).name() == "not_empty");
}

TEST_CASE("a merge with one side unchanged is the other side", "[upgrade][merge_trees][property]") {
    std::mt19937 engine(2026);
    const auto below = [&](int limit) { return std::uniform_int_distribution(0, limit - 1)(engine); };
    const auto fill = [&](const fs::path& tree, auto&& self, int depth) -> void {
        for (const char* name : {"a", "b", "c", "a.new"}) {
            switch (below(depth == 0 ? 4 : 6)) {
                case 0:
                    Merging::put(tree / name, std::to_string(below(3)) + "\n", below(2) == 0 ? 0644 : 0600);
                    break;
                case 1:
                    Merging::put(tree / name, "1\n2\n3\n" + std::to_string(below(3)) + "\n");
                    break;
                case 2:
                    fs::create_symlink(std::to_string(below(2)), tree / name);
                    break;
                case 3:
                    break;
                default:
                    fs::create_directory(tree / name);
                    self(tree / name, self, depth - 1);
            }
        }
    };
    for (int round = 0; round < 60; ++round) {
        const Merging place;
        fill(place.base(), fill, 2);
        fill(place.theirs(), fill, 2);
        fill(place.ours(), fill, 2);
        const auto first = place.merged();
        const auto result = tree_facts(place.target(), Facts::unconcerned);
        place.empty_target();
        CHECK(place.merged() == first);
        CHECK(tree_facts(place.target(), Facts::unconcerned) == result);
        place.empty_target();

        const auto copy = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
        const Merging jail_changed_nothing;
        fs::copy(place.base(), jail_changed_nothing.base(), copy);
        fs::copy(place.base(), jail_changed_nothing.ours(), copy);
        fs::copy(place.theirs(), jail_changed_nothing.theirs(), copy);
        CHECK(jail_changed_nothing.merged().conflicts.empty());
        CHECK(tree_facts(jail_changed_nothing.target(), Facts::unconcerned) ==
              tree_facts(jail_changed_nothing.theirs(), Facts::unconcerned));

        const Merging template_changed_nothing;
        fs::copy(place.base(), template_changed_nothing.base(), copy);
        fs::copy(place.base(), template_changed_nothing.theirs(), copy);
        fs::copy(place.ours(), template_changed_nothing.ours(), copy);
        CHECK(template_changed_nothing.merged().conflicts.empty());
        CHECK(tree_facts(template_changed_nothing.target(), Facts::unconcerned) ==
              tree_facts(template_changed_nothing.ours(), Facts::unconcerned));
    }
}

TEST_CASE("an /etc in which directories become links meanwhile is merged without what they lead to",
          "[upgrade][merge_trees][attack]") {
    const Merging place;
    constexpr int kDirectories = 20;
    constexpr int kSwaps = 3'000;
    Merging::put(place.outside() / "file", "outside");
    fs::create_directories(place.home() / "aside");
    for (int i = 0; i < kDirectories; ++i) {
        const auto name = std::to_string(i);
        place.everywhere(fs::path(name) / "file", kText);
        Merging::put(place.theirs(fs::path(name) / "file"), std::string("zero\n") + kText);
        Merging::put(place.ours(fs::path(name) / "file"), std::string(kText) + "six\n");
        Merging::put(place.ours(fs::path(name) / "own/file"), "mine");
        REQUIRE(::mkfifo((place.home() / "aside" / ("fifo" + name)).c_str(), 0600) == 0);
    }
    const auto before = tree_facts(place.outside(), Facts::unconcerned);
    std::atomic<bool> stop = false;
    std::atomic<int> swaps = 0;
    std::thread swapper([&] {
        std::error_code ignored;
        for (int i = 0; !stop; i = (i + 1) % kDirectories, ++swaps) {
            const auto name = std::to_string(i);
            const auto directory = place.ours(name);
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
    while (swaps < kSwaps && std::chrono::steady_clock::now() < deadline) {
        const auto merged = place.merge();
        if (!merged && merged.error().code != Errc::busy) FAIL_CHECK(merged.error().to_string());
        for (const auto& entry : fs::recursive_directory_iterator(place.target()))
            if (entry.symlink_status().type() == fs::file_type::regular && content_of(entry) == "outside")
                FAIL_CHECK(entry.path() << " is what a link led to");
        place.empty_target();
    }
    stop = true;
    swapper.join();
    CHECK(swaps >= kSwaps);
    CHECK(tree_facts(place.outside(), Facts::unconcerned) == before);
    CHECK(place.untouched());
    CHECK(place.merged().merged == kDirectories);
}

#ifdef __linux__

TEST_CASE("a merge does not go on into what is mounted in an /etc", "[upgrade][merge_trees][root]") {
    if (!is_root()) return;
    const Merging place;
    place.everywhere("ssh/file", "x");
    const TestMount mount("tmpfs", place.ours("ssh"), "tmpfs", 0);
    if (!mount.mounted()) {
        WARN("cannot mount here: nothing is tested");
        return;
    }
    CHECK(error_of(place.merge()).name() == "mount_beneath");
    CHECK(error_of(place.try_merge()).name() == "mount_beneath");
}

TEST_CASE("attributes come with the content", "[upgrade][merge_trees]") {
    const Merging place;
    place.everywhere("a", kText);
    if (::setxattr(place.ours("a").c_str(), "user.kept", "yes", 3, 0) != 0) {
        WARN("no extended attributes here: nothing is tested");
        return;
    }
    Merging::put(place.ours("a"), std::string(kText) + "six\n");
    Merging::put(place.theirs("a"), std::string("zero\n") + kText);
    CHECK(place.merged() == MergeReport{.merged = 1});
    std::array<char, 8> value{};
    CHECK(::getxattr(place.target("a").c_str(), "user.kept", value.data(), value.size()) == 3);
}

#endif
