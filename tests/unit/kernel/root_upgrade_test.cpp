#include "core/kernel/roots/root_upgrade.h"

#include <map>
#include <sstream>

#include "core/base/files.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

constexpr JailId kUpgraded{1};
constexpr TemplateId kOld{3};
constexpr TemplateId kLatest{4};

void put_text(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

class NoMounts : public kernel::Mounts {
public:
    Result<std::vector<kernel::ObservedMount>> list(kernel::Scope) override { return {}; }
    Result<void> mount(JailId, const kernel::Mount&) override { return {}; }
    Result<void> check(const kernel::Mount&) override { return {}; }
    [[nodiscard]] bool lists(const std::string&) const override { return true; }
    Result<void> unmount(JailId, const std::string&) override { return {}; }
};

/// Two versions of a template, and a jail that was made from the first as a copy and then edited.
class UpgradePlace : public Playground {
public:
    UpgradePlace() {
        put_text(tree(kOld) / "etc/conf", "a\nb\nc\nd\n");
        put_text(tree(kOld) / "etc/motd", "old\n");
        put_text(tree(kOld) / "usr/bin/tool", "tool 1");
        put_text(tree(kOld) / "var/db", "template's");
        fs::create_directories(jail());
        fs::copy(tree(kOld), root(), fs::copy_options::recursive);
        fs::create_directories(tree(kLatest).parent_path());
        fs::copy(tree(kOld), tree(kLatest), fs::copy_options::recursive);
        put_text(tree(kLatest) / "etc/conf", "a\nb\nc\nD\n");
        put_text(tree(kLatest) / "etc/motd", "new\n");
        put_text(tree(kLatest) / "usr/bin/tool", "tool 2");
        put_text(tree(kLatest) / "bin/added", "added");
        put_text(tree(kLatest) / "var/db", "template's, later");
        put_text(root() / "etc/conf", "A\nb\nc\nd\n");
        put_text(root() / "etc/motd", "mine\n");
        put_text(root() / "usr/bin/own", "own");
        put_text(root() / "var/db", "jail's");
    }
    [[nodiscard]] fs::path tree(TemplateId id) const {
        return home() / "templates" / std::to_string(id.value) / "root";
    }
    [[nodiscard]] fs::path jail() const { return home() / "jails/1"; }
    [[nodiscard]] fs::path root() const { return jail() / "root"; }
    [[nodiscard]] kernel::RootUpgrade asked(model::RootKind kind = model::RootKind::copy) const {
        return {.jail = kUpgraded,
                .kind = kind,
                .from = kOld,
                .to = {.id = kLatest, .private_parts = {}},
                .mark = SnapshotId{8}};
    }
    void check_upgraded() const {
        CHECK(text_of(root() / "etc/conf") == "A\nb\nc\nD\n");
        CHECK(text_of(root() / "etc/motd") == "mine\n");
        CHECK(text_of(root() / "etc/motd.new") == "new\n");
        CHECK_FALSE(fs::exists(root() / "etc/motd.new2"));
        CHECK(text_of(root() / "usr/bin/tool") == "tool 2");
        CHECK(text_of(root() / "usr/bin/own") == "own");
        CHECK(text_of(root() / "bin/added") == "added");
        CHECK(text_of(root() / "var/db") == "jail's");
        CHECK_FALSE(fs::exists(root() / ".jaild-upgrade"));
        CHECK_FALSE(fs::exists(jail() / "upgrade-scratch"));
        CHECK(untouched());
    }
    NoMounts mounts{};
    kernel::RootMerges upgrades{home(), mounts};
};

}  // namespace

TEST_CASE("root upgrade: of a copy all that templates bring is merged, what is the jail's stays") {
    UpgradePlace place;
    const auto report = value_of(place.upgrades.upgrade(place.asked()));
    place.check_upgraded();
    CHECK(report.conflicted == 1);
    REQUIRE(report.conflicts.size() == 1);
    CHECK(report.conflicts[0].path == "etc/motd");
    CHECK(report.conflicts[0].written == "etc/motd.new");
    CHECK(report.merged == 1);

    SECTION("a second time nothing is done") {
        CHECK(value_of(place.upgrades.upgrade(place.asked())) == upgrade::MergeReport{});
        place.check_upgraded();
    }
}

TEST_CASE("root upgrade: of a thin root only /etc is merged") {
    UpgradePlace place;
    value_of(place.upgrades.upgrade(place.asked(model::RootKind::thin)));
    CHECK(text_of(place.root() / "etc/conf") == "A\nb\nc\nD\n");
    CHECK(text_of(place.root() / "usr/bin/tool") == "tool 1");
    CHECK_FALSE(fs::exists(place.root() / "bin"));
}

TEST_CASE("root upgrade: a try reports the same and changes nothing") {
    UpgradePlace place;
    const auto tried = value_of(place.upgrades.try_upgrade(place.asked()));
    CHECK(text_of(place.root() / "etc/conf") == "A\nb\nc\nd\n");
    CHECK_FALSE(fs::exists(place.root() / "etc/motd.new"));
    CHECK_FALSE(fs::exists(place.jail() / "upgrade-scratch"));
    CHECK_FALSE(fs::exists(place.jail() / "upgrade"));
    CHECK(value_of(place.upgrades.upgrade(place.asked())) == tried);
}

/// Each state that a crash can leave, made of the one that a whole upgrade leaves.
TEST_CASE("root upgrade: one that a crash ended is finished") {
    UpgradePlace place;
    const auto work = place.root() / ".jaild-upgrade";
    SECTION("while it merged") {
        put_text(work / "0.new/half", "half");
        put_text(place.jail() / "upgrade-scratch/databases/half", "half");
    }
    SECTION("after another upgrade, while it merged") {
        put_text(place.jail() / "upgrade", "7 done\n");
        put_text(work / "0.new/half", "half");
    }
    const auto merge_whole = [&] {
        // The parts are etc, bin, usr/bin, as upgrade() merges and exchanges them.
        UpgradePlace other;
        value_of(other.upgrades.upgrade(other.asked()));
        fs::create_directories(work);
        fs::copy(other.root() / "etc", work / "0.new", fs::copy_options::recursive);
        fs::copy(other.root() / "bin", work / "1.new", fs::copy_options::recursive);
        fs::copy(other.root() / "usr/bin", work / "2.new", fs::copy_options::recursive);
        put_text(place.jail() / "upgrade", "8 merged\n");
    };
    SECTION("before anything was exchanged") {
        merge_whole();
    }
    SECTION("between the two renames of a part") {
        merge_whole();
        fs::rename(place.root() / "etc", work / "0.old");
    }
    SECTION("between two parts") {
        merge_whole();
        fs::rename(place.root() / "etc", work / "0.old");
        fs::rename(work / "0.new", place.root() / "etc");
    }
    SECTION("before what was there is removed") {
        merge_whole();
        for (const auto* part : {"etc", "usr/bin"})
            fs::rename(place.root() / part, work / (part[0] == 'e' ? "0.old" : "2.old"));
        fs::rename(work / "0.new", place.root() / "etc");
        fs::rename(work / "1.new", place.root() / "bin");
        fs::rename(work / "2.new", place.root() / "usr/bin");
        put_text(place.jail() / "upgrade", "8 done\n");
    }
    value_of(place.upgrades.upgrade(place.asked()));
    place.check_upgraded();
}

TEST_CASE("root upgrade: a link in place of a directory leads nowhere") {
    UpgradePlace place;
    fs::remove_all(place.root() / "usr");
    fs::create_directory_symlink(place.outside(), place.root() / "usr");
    value_of(place.upgrades.upgrade(place.asked()));
    CHECK_FALSE(fs::is_symlink(place.root() / "usr"));
    CHECK(fs::is_directory(place.root() / "usr/bin"));
    CHECK(std::distance(fs::directory_iterator(place.outside()), {}) == 1);
    CHECK(place.untouched());
}

TEST_CASE("root upgrade: without the tree of a template nothing is done") {
    UpgradePlace place;
    fs::remove_all(place.tree(kOld));
    CHECK(error_of(place.upgrades.upgrade(place.asked())).name() == "template_missing");
    CHECK(text_of(place.root() / "etc/conf") == "A\nb\nc\nd\n");
    CHECK_FALSE(fs::exists(place.root() / ".jaild-upgrade"));
}
