#include "core/kernel/roots/jail_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "core/base/files.h"
#include "core/kernel/roots/template_root.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;
namespace jail_tree = jaild::kernel::jail_tree;

namespace {

constexpr TemplateId kBase{4};

void put_jail_file(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

std::string jail_file(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// A state directory with a template, a jail that was made from it, and an empty tree to copy to.
class JailCopying : public Playground {
public:
    JailCopying() {
        put_jail_file(base() / "bin/sh", "shell");
        put_jail_file(base() / "usr/bin/cc", "compiler");
        put_jail_file(base() / "etc/issue", "old");
        put_jail_file(jail() / "etc/issue", "new");
        fs::create_directories(jail() / "bin");
        fs::create_directories(jail() / "usr/bin");
        fs::create_directories(target());
        target_ = value_of(files::open_directory(target()));
    }
    [[nodiscard]] fs::path state() const { return home() / "state"; }
    [[nodiscard]] fs::path base() const { return kernel::template_root::tree_of(state(), kBase); }
    [[nodiscard]] fs::path jail() const { return state() / "jails/7/root"; }
    [[nodiscard]] fs::path target() const { return home() / "target"; }
    [[nodiscard]] int target_fd() const { return target_.get(); }
    [[nodiscard]] Result<files::CopyTotals> copy(model::RootKind kind, const jail_tree::GoOn& go_on = {}) const {
        const auto root = value_of(files::open_directory(jail()));
        const auto shared = value_of(files::open_directory(base()));
        const bool thin = kind == model::RootKind::thin;
        return jail_tree::copy({.root = root.get(), .base = thin ? shared.get() : -1}, target_fd(), go_on);
    }

private:
    UniqueFd target_;
};

}  // namespace

TEST_CASE("a thin jail's tree comes out with what it shares, a copied one's as it is", "[jail_tree]") {
    const JailCopying here;
    // What its root left where a template's directory is mounted is not what programs see there.
    put_jail_file(here.jail() / "bin/hidden", "x");
    fs::remove_all(here.jail() / "usr/bin");
    fs::create_symlink("/etc", here.jail() / "usr/bin");
    const auto totals = value_of(here.copy(model::RootKind::thin));
    CHECK(jail_file(here.target() / "bin/sh") == "shell");
    CHECK_FALSE(fs::exists(here.target() / "bin/hidden"));
    CHECK(fs::symlink_status(here.target() / "usr/bin").type() == fs::file_type::directory);
    CHECK(jail_file(here.target() / "usr/bin/cc") == "compiler");
    CHECK(jail_file(here.target() / "etc/issue") == "new");
    CHECK(totals.bytes == 5 + 8 + 3);

    const JailCopying other;
    (void)value_of(other.copy(model::RootKind::copy));
    CHECK(fs::is_empty(other.target() / "bin"));
    CHECK(jail_file(other.target() / "etc/issue") == "new");
}

TEST_CASE("a copy of a jail is counted as one and ends when it is told to", "[jail_tree]") {
    const JailCopying here;
    std::uint64_t most = 0;
    const auto ended = here.copy(model::RootKind::thin, [&](const files::CopyTotals& now) {
        CHECK(now.entries >= most);
        most = now.entries;
        return most < 8;  // the jail's own are 6
    });
    CHECK(error_of(ended).reason == "interrupted");
    CHECK(most == 8);
}

TEST_CASE("what says which jail a tree was is taken away", "[jail_tree]") {
    const JailCopying here;
    const auto etc = here.target() / "etc";
    for (const char* name : {"hostname", "resolv.conf", "hostid", "machine-id", "kept"})
        put_jail_file(etc / name, "web");
    put_jail_file(
        etc / "hosts",
        "192.0.2.1 mine\n# jaild keeps the lines from here on; write your own outside of them.\n10.0.0.2 web\n"
        "# End of jaild's lines.\n192.0.2.2 other\n");
    REQUIRE(jail_tree::forget_identity(here.target_fd()).has_value());
    for (const char* name : {"hostname", "resolv.conf", "hostid"}) CHECK_FALSE(fs::exists(etc / name));
    CHECK(fs::is_empty(etc / "machine-id"));
    CHECK(jail_file(etc / "kept") == "web");
    CHECK(jail_file(etc / "hosts") == "192.0.2.1 mine\n192.0.2.2 other\n");
}

TEST_CASE("links in place of generated files lead nowhere", "[jail_tree]") {
    const JailCopying here;
    const auto victim = here.home() / "victim";
    put_jail_file(victim / "hosts", "outside");
    SECTION("etc itself") {
        fs::create_symlink(victim, here.target() / "etc");
    }
    SECTION("each file") {
        fs::create_directories(here.target() / "etc");
        for (const char* name : {"hostname", "resolv.conf", "machine-id", "hosts"})
            fs::create_symlink(victim / "hosts", here.target() / "etc" / name);
    }
    SECTION("no etc") {}
    REQUIRE(jail_tree::forget_identity(here.target_fd()).has_value());
    CHECK(jail_file(victim / "hosts") == "outside");
}
