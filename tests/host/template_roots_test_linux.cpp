#include <sys/mount.h>
#include <sys/stat.h>

#include <sstream>

#include "core/kernel/roots/template_root.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/temp_directory.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

constexpr TemplateId kTemplate{5};

/// The program or library at `path`, at the same place of the tree; its directory as the host spells it out.
void take(const fs::path& tree, const fs::path& path) {
    const auto directory = tree / fs::canonical(path.parent_path()).relative_path();
    fs::create_directories(directory);
    if (!fs::exists(directory / path.filename())) fs::copy_file(fs::canonical(path), directory / path.filename());
}

/// A userland of the host's own shell and a few programs.
void make_userland(const fs::path& tree) {
    for (const char* name : {"bin", "lib", "lib64"})
        if (fs::is_symlink(fs::path("/") / name))
            fs::create_symlink(fs::read_symlink(fs::path("/") / name), tree / name);
    for (const char* program : {"/bin/sh", "/bin/cat", "/bin/hostname", "/bin/ls", "/bin/grep"}) {
        take(tree, program);
        std::istringstream words(value_of(run({"ldd", program})).output);
        for (std::string word; words >> word;)
            if (word.starts_with('/')) take(tree, word);
    }
    for (const char* name : {"dev", "proc", "sys", "tmp", "etc", "var/lib", "usr/local/etc", "usr/lib/site", "srv"})
        fs::create_directories(tree / name);
    write_file(tree / "etc/passwd", "root:x:0:0:root:/:/bin/sh\nfrom-template:x:77:77::/:/bin/sh\n");
    write_file(tree / "etc/group", "root:x:0:\n");
    write_file(tree / "usr/local/etc/tool.conf", "of the template\n");
    write_file(tree / "var/lib/data", "of the template\n");
    write_file(tree / "usr/lib/site/module", "of the template\n");
    fs::create_symlink("/run/systemd/resolve/stub-resolv.conf", tree / "etc/resolv.conf");
}

struct TemplateFixture : JailFixture {
    TemplateFixture() {
        fs::create_directories(tree());
        make_userland(tree());
    }
    [[nodiscard]] fs::path tree() const { return kernel::template_root::tree_of(host.state_directory(), kTemplate); }
    [[nodiscard]] static kernel::RootParameters parameters(model::RootKind kind) {
        auto made = root_parameters(kJail);
        made.root.kind = kind;
        made.template_name = "small:1";
        made.base = model::JailBase{.id = kTemplate, .private_parts = {"/usr/lib/site"}};
        made.nameservers = {value_of(IpAddress::parse("192.0.2.53"))};
        return made;
    }
};

/// What of a tree is in which directory, with its size.
std::string listing(const fs::path& tree) {
    return value_of(run({"sh", "-c", "cd \"$0\" && find . -printf '%p %y %m %s %T@\\n' | sort", tree})).output;
}

}  // namespace

TEST_CASE("a jail with a thin root runs what its template has, and cannot change it", "[host][roots][template]") {
    TemplateFixture jail;
    const auto before = listing(jail.tree());
    jail.start(TemplateFixture::parameters(model::RootKind::thin));
    CHECK(jail.output_in_jail(kJail, "cat /etc/passwd").contains("from-template"));
    CHECK(jail.output_in_jail(kJail, "cat /etc/hostname") == "host1");
    CHECK(jail.output_in_jail(kJail, "cat /etc/resolv.conf").contains("nameserver 192.0.2.53"));
    CHECK(jail.output_in_jail(kJail, "cat /etc/hosts").contains("localhost"));
    CHECK(jail.output_in_jail(kJail, "cat /usr/local/etc/tool.conf") == "of the template");

    CHECK(jail.status_in_jail(kJail, "echo x > /usr/bin/sh") != 0);
    CHECK(jail.status_in_jail(kJail, "echo x > /usr/bin/new") != 0);
    for (const char* path :
         {"/etc/passwd", "/usr/local/etc/tool.conf", "/var/lib/data", "/usr/lib/site/module", "/new"})
        CHECK(jail.status_in_jail(kJail, std::string("echo mine > ") + path) == 0);
    CHECK(listing(jail.tree()) == before);

    value_of(jail.jails.remove(kJail));
    jail.unmount_root(kJail);
    CHECK(read_file(jail.layout.root(kJail) / "etc/passwd") == "mine\n");
    // What the jail made of its root stays, and its next start finds it.
    jail.start(TemplateFixture::parameters(model::RootKind::thin));
    CHECK(jail.output_in_jail(kJail, "cat /etc/passwd /usr/lib/site/module") == "mine\nmine");
    value_of(jail.jails.remove(kJail));
    jail.unmount_root(kJail);
    value_of(jail.roots.remove(kJail));
    CHECK(listing(jail.tree()) == before);
}

TEST_CASE("a jail with a copied root has everything for itself", "[host][roots][template]") {
    TemplateFixture jail;
    const auto before = listing(jail.tree());
    const auto parameters = TemplateFixture::parameters(model::RootKind::copy);
    CHECK(value_of(jail.roots.mounts(parameters)).size() == 1);
    jail.start(parameters);
    CHECK(jail.status_in_jail(kJail, "cat /bin/cat > /usr/bin/new && echo mine > /usr/bin/grep") == 0);
    CHECK(listing(jail.tree()) == before);
    value_of(jail.jails.remove(kJail));
    jail.unmount_root(kJail);
    CHECK(read_file(jail.layout.root(kJail) / "usr/bin/grep") == "mine\n");
    value_of(jail.roots.remove(kJail));
    CHECK_FALSE(fs::exists(jail.layout.jail(kJail)));
    CHECK(listing(jail.tree()) == before);
}

TEST_CASE("a root that was half copied is copied anew, one that was finished never again", "[host][roots][template]") {
    TemplateFixture jail;
    const auto parameters = TemplateFixture::parameters(model::RootKind::copy);
    const auto root = jail.layout.root(kJail);
    fs::create_directories(root / "etc");
    write_file(root / "etc/half", "x");
    value_of(jail.roots.prepare(parameters));
    CHECK_FALSE(fs::exists(root / "etc/half"));
    CHECK(fs::exists(root / "usr/lib/site/module"));
    write_file(root / "etc/mine", "x");
    value_of(jail.roots.prepare(parameters));
    CHECK(fs::exists(root / "etc/mine"));
}

TEST_CASE("a root is not made anew beneath what somebody mounted in it", "[host][roots][template]") {
    TemplateFixture jail;
    const TempDirectory other;
    write_file(other.path() / "kept", "x");
    const auto place = jail.layout.root(kJail) / "srv/theirs";
    fs::create_directories(place);
    REQUIRE(::mount(other.path().c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0);
    CHECK(error_of(jail.roots.prepare(TemplateFixture::parameters(model::RootKind::thin))).name() == "mount_beneath");
    CHECK_FALSE(value_of(jail.roots.prepared(kJail)));
    REQUIRE(::umount2(place.c_str(), 0) == 0);
    CHECK(fs::exists(other.path() / "kept"));
    value_of(jail.roots.prepare(TemplateFixture::parameters(model::RootKind::thin)));
}

TEST_CASE("a template that is gone is named, and nothing is made", "[host][roots][template]") {
    TemplateFixture jail;
    fs::remove_all(jail.tree());
    const auto error = error_of(jail.roots.prepare(TemplateFixture::parameters(model::RootKind::copy)));
    CHECK(error.name() == "template_missing");
    CHECK_FALSE(value_of(jail.roots.prepared(kJail)));
}

}  // namespace jaild::test
