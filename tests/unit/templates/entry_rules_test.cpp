#include "core/templates/archive/entry_rules.h"

#include "tests/results.h"

using namespace jaild;
using namespace jaild::archive;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("names of an archive are made plain", "[archive]") {
    CHECK(value_of(clean_name("./usr/bin/")) == "usr/bin");
    CHECK(value_of(clean_name("usr//./lib")) == "usr/lib");
    CHECK(value_of(clean_name("./")) == ".");
    CHECK(value_of(clean_name("...")) == "...");
    CHECK(value_of(clean_name("a..b/größe")) == "a..b/größe");
}

TEST_CASE("names that lead out of the tree, or that no terminal should see, are refused", "[archive][attack]") {
    const auto name = GENERATE(as<std::string>{}, "", "/", "/etc/passwd", "//x", "..", "../x", "a/../../x", "a/..",
                               "./..", "a\nb", "\x1b[2J", "a\x7f",
                               "a\xc2\x9b"
                               "b",
                               "\xff", "\xc0\xae\xc0\xae/x", "\xed\xa0\x80");
    INFO(name);
    const auto error = error_of(clean_name(name));
    CHECK(error.code == Errc::invalid);
    CHECK(error.reason == "entry_refused");
    for (const char c : error.detail) CHECK(static_cast<unsigned char>(c) >= 0x20);
}

TEST_CASE("names are as long as both systems take them", "[archive][limits]") {
    const std::string longest(kNameBytes, 'x');
    CHECK(clean_name(longest));
    CHECK_FALSE(clean_name(longest + "x"));
    std::string path = longest + "/" + longest + "/" + longest + "/" + std::string(kPathBytes - 3 * 256, 'x');
    CHECK(path.size() == kPathBytes);
    CHECK(clean_name(path));
    CHECK(clean_name("./" + path + "/"));
    CHECK_FALSE(clean_name(path + "x"));
    CHECK(check_symbolic_link("a", std::string(kTargetBytes, 'x')));
    CHECK_FALSE(check_symbolic_link("a", std::string(kTargetBytes + 1, 'x')));
}

TEST_CASE("a symbolic link stays in the tree", "[archive][attack]") {
    CHECK(check_symbolic_link("usr/lib/a", "../../bin/a"));
    CHECK(check_symbolic_link("etc/termcap", "/usr/share/misc/termcap"));  // of the jail's own root
    CHECK(check_symbolic_link("sys", "usr/src/sys"));
    CHECK(check_symbolic_link("a/b", ".."));
    CHECK(check_symbolic_link("a", "b/../../a").error().reason == "entry_refused");
    CHECK(check_symbolic_link("a", "..").error().reason == "entry_refused");
    CHECK(check_symbolic_link("usr/a", "../../etc").error().reason == "entry_refused");
    CHECK(check_symbolic_link("a", "/../etc").error().reason == "entry_refused");
    CHECK(check_symbolic_link("a", "").error().reason == "entry_refused");
    CHECK(check_symbolic_link("a", "x\ny").error().reason == "entry_refused");
    CHECK(check_symbolic_link(".", "x").error().reason == "entry_refused");
}

TEST_CASE("a hard link names something in the tree", "[archive][attack]") {
    CHECK(value_of(clean_hard_link("b", "./a")) == "a");
    for (const auto* target : {"/etc/passwd", "../a", "", ".", "a/../../b", "a\x01"})
        CHECK(error_of(clean_hard_link("b", target)).reason == "entry_refused");
}

TEST_CASE("only files, directories and links are taken", "[archive][attack]") {
    for (const auto kind : {EntryKind::file, EntryKind::directory, EntryKind::symbolic_link, EntryKind::hard_link})
        CHECK(check_kind("a", kind));
    CHECK(error_of(check_kind("dev/null", EntryKind::other)).reason == "entry_refused");
}

TEST_CASE("a message shows any name on one line", "[archive]") {
    CHECK(printable("größe") == "größe");
    CHECK(printable("a\nb\x1b") == "a\\x0ab\\x1b");
    CHECK(printable("\xff") == "\\xff");
    CHECK(printable(std::string(300, 'x')).size() < 220);
}

TEST_CASE("a jail's tree may have what a template may not, but nothing leads out of it", "[archive][attack]") {
    CHECK(value_of(clean_name("./a\nb\xff/\x1b[2J/", Contents::jail)) == "a\nb\xff/\x1b[2J");
    CHECK(value_of(clean_hard_link("a", "b\n", Contents::jail)) == "b\n");
    value_of(check_symbolic_link("a", "../../outside", Contents::jail));
    value_of(check_symbolic_link("a", "\xff", Contents::jail));
    value_of(check_kind("a", EntryKind::fifo, Contents::jail));
    CHECK(error_of(check_kind("a", EntryKind::fifo)).name() == "entry_refused");
    CHECK(error_of(check_kind("a", EntryKind::other, Contents::jail)).name() == "entry_refused");
    for (const auto* name : {"", "/etc/passwd", "..", "../x", "a/../../x", "a/.."}) {
        CHECK(error_of(clean_name(name, Contents::jail)).name() == "entry_refused");
        CHECK(error_of(clean_hard_link("a", name, Contents::jail)).name() == "entry_refused");
    }
    CHECK(error_of(clean_name(std::string(256, 'x'), Contents::jail)).name() == "entry_refused");
    CHECK(error_of(check_symbolic_link("a", "", Contents::jail)).name() == "entry_refused");
    CHECK(error_of(check_symbolic_link(".", "x", Contents::jail)).name() == "entry_refused");
}
