#include "tests/host/template_scene_freebsd.h"

#include <fstream>
#include <sstream>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
namespace zfs = kernel::freebsd::zfs;
using nlohmann::json;

constexpr const char* kWaitForTemplate = "Prefer: wait=60\r\n";

/// A program or library of the host's, at the same place of the tree.
void take(const fs::path& tree, const fs::path& path) {
    const auto place = tree / path.relative_path();
    fs::create_directories(place.parent_path());
    if (!fs::exists(place)) fs::copy_file(path, place);
}

}  // namespace

void write_text(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

fs::path make_userland(const fs::path& directory) {
    const auto tree = directory / "userland";
    take(tree, "/libexec/ld-elf.so.1");
    for (const char* program : {"/bin/sh", "/bin/cat", "/bin/chmod", "/bin/dd", "/bin/ls"}) {
        take(tree, program);
        std::istringstream words(run_or_fail({"/usr/bin/ldd", "-f", "%p\n", program}));
        for (std::string word; words >> word;)
            if (word.starts_with("/lib") || word.starts_with("/usr/lib")) take(tree, word);
    }
    for (const char* name : {"dev", "tmp", "var/db", "usr/local", "srv"}) fs::create_directories(tree / name);
    write_text(tree / "etc/master.passwd", "root::0:0::0:0:of the template:/:/bin/sh\n");
    run_or_fail({"/usr/sbin/pwd_mkdb", "-d", tree / "etc", "-p", tree / "etc/master.passwd"});
    write_text(tree / "etc/group", "wheel:*:0:root\n");
    write_text(tree / "usr/local/etc/tool.conf", "of the template\n");
    write_text(tree / "usr/lib/site/module", "of the template\n");
    const auto archive = directory / "userland.tar";
    run_or_fail({"/usr/bin/tar", "-cf", archive, "-C", tree, "."});
    fs::remove_all(tree);
    return archive;
}

TemplateScene::TemplateScene(Backend backend) {
    if (backend == Backend::zfs) pool.emplace(host);
    start();
}

HttpReply TemplateScene::import() const {
    const json asked{{"name", "small"},
                     {"version", "1"},
                     {"private", {"/usr/lib/site"}},
                     {"sets", {{{"file", make_userland(host.state_directory()).native()}}}}};
    return daemon.request("POST", "/v1/templates", asked.dump(), kWaitForTemplate);
}

void TemplateScene::have_template() const {
    const auto made = import();
    INFO(made.body);
    REQUIRE(made.status == 201);
}

HttpReply TemplateScene::create(const std::string& name, const char* kind) const {
    const json asked{{"name", name}, {"template", "small:1"}, {"root", {{"kind", kind}}}};
    return daemon.request("POST", "/v1/jails", asked.dump(), kWaitForTemplate);
}

void TemplateScene::have_jail(const std::string& name, const char* kind) const {
    client.create({{"name", name}, {"template", "small:1"}, {"root", {{"kind", kind}}}});
}

HttpReply TemplateScene::remove_template() const {
    return daemon.request("DELETE", "/v1/templates/small:1", "", kWaitForTemplate);
}

fs::path TemplateScene::tree() const {
    return kernel::template_root::tree_of(host.state_directory(), TemplateId{1});
}

std::string TemplateScene::dataset() const {
    return zfs::dataset(pool->parent(), client.instance(), TemplateId{1});
}

std::string TemplateScene::listing() const {
    return run_or_fail({"/bin/ls", "-lRaoT", tree()});
}

void TemplateScene::check_nothing_left() const {
    CHECK_FALSE(fs::exists(tree().parent_path()));
    if (pool) CHECK(pool->listed() == pool->parent() + "\t-\n");
}

}  // namespace jaild::test
