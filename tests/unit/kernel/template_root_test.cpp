#include "core/kernel/roots/template_root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <sstream>
#include <thread>

#include "core/base/copy_tree.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;
namespace template_root = jaild::kernel::template_root;
using Names = std::vector<std::string>;

namespace {

constexpr TemplateId kTemplate{3};
constexpr std::array<std::string_view, 2> kPoints{"dev", "proc"};

void write(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// Kinds, modes and contents, by path.
std::map<std::string, std::string> facts(const fs::path& tree) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        struct stat seen {};
        REQUIRE(::lstat(entry.path().c_str(), &seen) == 0);
        auto& text = all[entry.path().lexically_relative(tree)];
        text = std::to_string(seen.st_mode) + " ";
        if (S_ISREG(seen.st_mode)) text += read(entry.path());
        if (S_ISLNK(seen.st_mode)) text += fs::read_symlink(entry.path());
    }
    return all;
}

/// A state directory with one template, and the open root of a jail.
class Workshop : public Playground {
public:
    Workshop() {
        write(tree() / "bin/sh", "shell");
        write(tree() / "usr/bin/cc", "compiler");
        write(tree() / "usr/lib/libc.so", "library");
        write(tree() / "usr/lib/site/module", "module");
        write(tree() / "usr/lib/other/module", "module");
        write(tree() / "usr/local/bin/tool", "tool");
        write(tree() / "usr/README", "read me");
        write(tree() / "etc/passwd", "root:*:0:0::/root:/bin/sh\n");
        write(tree() / "opt/data/file", "data");
        write(tree() / ".profile", "profile");
        fs::create_directories(tree() / "dev");
        fs::create_directories(tree() / "tmp");
        fs::create_directory_symlink("usr/lib", tree() / "lib");
        REQUIRE(::chmod((tree() / "tmp").c_str(), 01777) == 0);
        fs::create_directories(root());
        root_ = value_of(files::open_directory(root()));
    }
    [[nodiscard]] fs::path state() const { return home() / "state"; }
    [[nodiscard]] fs::path tree() const { return template_root::tree_of(state(), kTemplate); }
    [[nodiscard]] fs::path root() const { return home() / "root"; }
    [[nodiscard]] int root_fd() const { return root_.get(); }
    [[nodiscard]] kernel::RootParameters parameters(model::RootKind kind, Names private_parts = {}) const {
        return {.id = JailId{1},
                .name = value_of(model::Name::parse("web")),
                .root = {.kind = kind, .path = {}},
                .template_name = "base:1",
                .hostname = "web",
                .addresses = {},
                .nameservers = {},
                .search = {},
                .base = model::JailBase{.id = kTemplate, .private_parts = std::move(private_parts)}};
    }
    [[nodiscard]] Names shared(const Names& private_parts = {}) const {
        return value_of(template_root::shared(value_of(files::open_directory(tree())).get(), private_parts));
    }
    [[nodiscard]] Result<void> make(const kernel::RootParameters& parameters) const {
        return template_root::make(root_fd(), state(), parameters);
    }

private:
    UniqueFd root_;
};

}  // namespace

TEST_CASE("thin roots share programs, and nothing that a jail writes to", "[template_root]") {
    const Workshop shop;
    CHECK(shop.shared() == Names{"bin", "usr/bin", "usr/lib"});
}

TEST_CASE("what a template lists as private is shared around it", "[template_root]") {
    const Workshop shop;
    CHECK(shop.shared({"/usr/lib/site"}) == Names{"bin", "usr/bin", "usr/lib/other"});
    CHECK(shop.shared({"/bin", "/usr/lib/none"}) == Names{"usr/bin", "usr/lib/other", "usr/lib/site"});
    CHECK(shop.shared({"/usr"}) == Names{"bin"});
    CHECK(shop.shared({"/opt/data", "/usr/li"}) == Names{"bin", "usr/bin", "usr/lib"});
    CHECK(shop.shared({"/"}) == Names{"bin", "usr/bin", "usr/lib"});
}

TEST_CASE("a directory that comes to hundreds of pieces is copied instead", "[template_root]") {
    const Workshop shop;
    for (int i = 0; i < 100; ++i) fs::create_directories(shop.tree() / "usr/share" / std::to_string(i));
    CHECK(shop.shared() == Names{"bin", "usr/bin", "usr/lib", "usr/share"});
    CHECK(shop.shared({"/usr/share/7"}) == Names{"bin", "usr/bin", "usr/lib"});
    value_of(shop.make(shop.parameters(model::RootKind::thin, {"/usr/share/7"})));
    CHECK(fs::exists(shop.root() / "usr/share/8"));
}

TEST_CASE("a thin root has a copy of all that is not shared, and places for what is", "[template_root]") {
    const Workshop shop;
    const auto parameters = shop.parameters(model::RootKind::thin, {"/usr/lib/site"});
    value_of(shop.make(parameters));
    auto expected = facts(shop.tree());
    for (const char* path : {"bin/sh", "usr/bin/cc", "usr/lib/other/module"}) expected.erase(path);
    CHECK(facts(shop.root()) == expected);

    const auto mounts = value_of(template_root::mounts(shop.state(), parameters));
    Names targets;
    for (const auto& mount : mounts) {
        targets.push_back(mount.target);
        CHECK(mount.read_only);
        CHECK(mount.kind == kernel::MountKind::bind);
        CHECK(mount.source == (shop.tree() / fs::path(mount.target).lexically_relative("root")).string());
        CHECK(fs::is_empty(shop.home() / mount.target));
    }
    CHECK(targets == Names{"root/bin", "root/usr/bin", "root/usr/lib/other"});
}

TEST_CASE("a copied root is the template's tree, and needs it no more", "[template_root]") {
    const Workshop shop;
    const auto parameters = shop.parameters(model::RootKind::copy);
    value_of(shop.make(parameters));
    CHECK(facts(shop.root()) == facts(shop.tree()));
    write(shop.root() / "usr/bin/cc", "another");
    CHECK(read(shop.tree() / "usr/bin/cc") == "compiler");

    fs::remove_all(shop.tree());
    CHECK(value_of(template_root::mounts(shop.state(), parameters)).empty());
    value_of(template_root::restore_mount_points(shop.root_fd(), shop.state(), parameters, kPoints));
    CHECK(fs::is_directory(shop.root() / "proc"));
}

TEST_CASE("a root without its template is refused, and says so", "[template_root]") {
    const Workshop shop;
    auto parameters = shop.parameters(model::RootKind::thin);
    const bool known = GENERATE(true, false);
    if (!known) parameters.base.reset();
    if (known) fs::remove_all(shop.tree());
    CHECK(error_of(shop.make(parameters)).name() == "template_missing");
    CHECK(error_of(template_root::mounts(shop.state(), parameters)).name() == "template_missing");
    CHECK(fs::is_empty(shop.root()));
}

TEST_CASE("a root that was killed at any entry of its copy is whole after the next attempt", "[template_root][crash]") {
    const Workshop shop;
    const auto entries = facts(shop.tree()).size();
    const auto tree = value_of(files::open_directory(shop.tree()));
    for (std::size_t at = 0; at <= entries; ++at) {
        INFO("after entry " << at);
        value_of(files::empty_directory(shop.root_fd()));
        const auto error = error_of(files::copy_tree(
            tree.get(), shop.root_fd(), {.go_on = [&](const files::CopyTotals& done) { return done.entries < at; }}));
        REQUIRE(error.name() == "interrupted");
        value_of(shop.make(shop.parameters(model::RootKind::copy)));
        REQUIRE(facts(shop.root()) == facts(shop.tree()));
    }
}

TEST_CASE("mount points are whole again, whatever the jail made of them", "[template_root]") {
    const Workshop shop;
    const auto parameters = shop.parameters(model::RootKind::thin);
    value_of(shop.make(parameters));
    fs::remove_all(shop.root() / "usr");
    fs::create_directory_symlink(shop.outside(), shop.root() / "usr");
    fs::remove_all(shop.root() / "bin");
    write(shop.root() / "bin", "no directory");
    fs::remove_all(shop.root() / "dev");
    REQUIRE(::mkfifo((shop.root() / "dev").c_str(), 0600) == 0);
    value_of(template_root::restore_mount_points(shop.root_fd(), shop.state(), parameters, kPoints));
    for (const char* path : {"bin", "usr", "usr/bin", "usr/lib", "dev", "proc"}) {
        INFO(path);
        CHECK(fs::symlink_status(shop.root() / path).type() == fs::file_type::directory);
    }
    CHECK(shop.untouched());
    CHECK(std::distance(fs::directory_iterator(shop.outside()), fs::directory_iterator()) == 1);
}

TEST_CASE("mount points are made in the root alone while somebody swaps directories for links",
          "[template_root][attack]") {
    const Workshop shop;
    const auto parameters = shop.parameters(model::RootKind::thin);
    value_of(shop.make(parameters));
    constexpr int kSwaps = 10'000;
    std::atomic<bool> stop = false;
    std::atomic<int> swaps = 0;
    std::thread swapper([&] {
        const auto usr = shop.root() / "usr";
        std::error_code ignored;
        while (!stop) {
            fs::remove_all(usr, ignored);
            fs::create_directory_symlink(shop.outside(), usr, ignored);
            fs::remove(usr, ignored);
            ++swaps;
        }
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (swaps < kSwaps && std::chrono::steady_clock::now() < deadline)
        static_cast<void>(template_root::restore_mount_points(shop.root_fd(), shop.state(), parameters, kPoints));
    stop = true;
    swapper.join();
    CHECK(swaps >= kSwaps);
    CHECK(shop.untouched());
    CHECK(std::distance(fs::directory_iterator(shop.outside()), fs::directory_iterator()) == 1);
    value_of(template_root::restore_mount_points(shop.root_fd(), shop.state(), parameters, kPoints));
    CHECK(fs::is_directory(shop.root() / "usr/lib"));
}

TEST_CASE("kinds of root that a template cannot have are refused with their field", "[template_root]") {
    using model::RootKind;
    using template_root::Clones;
    const auto check = [](RootKind kind, const char* name, Clones clones = Clones::impossible) {
        return template_root::check({.kind = kind, .path = {}}, name, clones);
    };
    value_of(check(RootKind::thin, "host"));
    value_of(check(RootKind::thin, "base:1"));
    value_of(check(RootKind::copy, "base:1"));
    value_of(check(RootKind::clone, "base:1", Clones::possible));
    CHECK(error_of(check(RootKind::clone, "base:1")).name() == "unsupported_root_kind");
    CHECK(error_of(check(RootKind::clone, "base:1")).field == "/root/kind");
    CHECK(error_of(check(RootKind::copy, "host")).name() == "host_is_thin_only");
    CHECK(error_of(check(RootKind::clone, "host", Clones::possible)).field == "/root/kind");
    CHECK(error_of(check(RootKind::thin, "unresolved")).name() == "template_unknown");
}

#ifdef __linux__

TEST_CASE("a root for which there is no space says so and leaves nothing behind", "[template_root][root]") {
    if (!is_root()) return;
    const Workshop shop;
    write(shop.tree() / "var/large", std::string(3 << 20, 'x'));
    const TestMount mount("tmpfs", shop.root(), "tmpfs", 0);
    REQUIRE(mount.mounted());
    REQUIRE(::mount("tmpfs", shop.root().c_str(), "tmpfs", MS_REMOUNT, "size=1m") == 0);
    const auto root = value_of(files::open_directory(shop.root()));
    const auto error = error_of(template_root::make(root.get(), shop.state(), shop.parameters(model::RootKind::copy)));
    CHECK(error.code == Errc::exhausted);
    CHECK(error.detail.contains("var/large"));
    CHECK(fs::is_empty(shop.root()));
}

#endif
