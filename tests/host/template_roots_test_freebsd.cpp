#include <sys/param.h>
// after <sys/param.h>
#include <sys/mount.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/template_trees.h"
#include "tests/host/eventually.h"
#include "tests/host/template_scene_freebsd.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
namespace zfs = kernel::freebsd::zfs;
using nlohmann::json;

constexpr const char* kWait = "Prefer: wait=60\r\n";

TEST_CASE("a jail with a thin root runs what its template has, and cannot change it", "[template]") {
    const TemplateScene test(GENERATE(Backend::directory, Backend::zfs));
    test.have_template();
    const auto before = test.listing();
    test.have_jail("thin", "thin");
    const auto& client = test.client;
    CHECK(client.sh("thin", "cat /usr/local/etc/tool.conf /usr/lib/site/module") == "of the template\nof the template");
    CHECK(client.sh("thin", "(echo x > /bin/sh) 2>/dev/null || echo refused") == "refused");
    CHECK(client.sh("thin", "(echo x > /lib/new) 2>/dev/null || echo refused") == "refused");
    for (const char* path : {"/etc/group", "/usr/local/etc/tool.conf", "/usr/lib/site/module", "/new"})
        CHECK(client.sh("thin", std::string("echo mine > ") + path + " && cat " + path) == "mine");
    client.change("thin", {{"running", false}});
    client.change("thin", {{"running", true}});
    CHECK(client.sh("thin", "cat /new /usr/lib/site/module") == "mine\nmine");
    CHECK(test.listing() == before);
    CHECK(test.remove_template().body.contains("template_in_use"));

    client.remove("thin");
    CHECK(test.listing() == before);
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("a jail with a copied root has everything for itself", "[template]") {
    const TemplateScene test(GENERATE(Backend::directory, Backend::zfs));
    test.have_template();
    const auto before = test.listing();
    test.have_jail("copy", "copy");
    CHECK(test.client.sh("copy", "cat /bin/cat > /bin/new && echo mine > /bin/ls && cat /bin/ls") == "mine");
    CHECK(test.listing() == before);
    test.client.remove("copy");
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("a clone begins as its template is, and is the jail's own", "[template][zfs]") {
    const TemplateScene test(Backend::zfs);
    test.have_template();
    const auto before = test.listing();
    test.have_jail("one", "clone");
    test.have_jail("two", "clone");
    const auto& client = test.client;
    CHECK(client.sh("one", "cat /usr/local/etc/tool.conf && echo mine > /bin/ls && cat /bin/ls") ==
          "of the template\nmine");
    CHECK(client.sh("two", "ls /usr/local/etc") == "tool.conf");
    CHECK(test.listing() == before);
    const auto jail = zfs::dataset(test.pool->parent(), client.instance(), client.id("one"));
    CHECK(run_or_fail({"/sbin/zfs", "get", "-H", "-o", "value", "origin", jail}) == test.dataset() + "@base\n");
    CHECK(test.pool->listed().contains(jail + "\t" + zfs::owner(client.instance(), client.id("one")) + "\n"));
    client.change("one", {{"running", false}});
    client.change("one", {{"running", true}});
    CHECK(client.sh("one", "cat /bin/ls") == "mine");

    CHECK(test.remove_template().body.contains("template_in_use"));
    client.remove("one");
    client.remove("two");
    CHECK(test.listing() == before);
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("a template's dataset is ours, read-only, and has the snapshot that clones are made of", "[template][zfs]") {
    const TemplateScene test(Backend::zfs);
    test.have_template();
    CHECK(test.pool->listed() == test.pool->parent() + "\t-\n" + test.dataset() + "\t" +
                                     zfs::owner(test.client.instance(), TemplateId{1}) + "\n");
    CHECK(run_or_fail({"/sbin/zfs", "get", "-H", "-o", "property,value", "canmount,readonly", test.dataset()}) ==
          "canmount\tnoauto\nreadonly\ton\n");
    CHECK(run_or_fail({"/sbin/zfs", "list", "-H", "-o", "name", "-t", "snapshot", test.dataset()}) ==
          test.dataset() + "@base\n");
    CHECK_FALSE(std::ofstream(test.tree() / "new").is_open());
}

TEST_CASE("after a reboot a template is mounted again before a jail uses it", "[template][zfs]") {
    TemplateScene test(Backend::zfs);
    test.have_template();
    test.have_jail("thin", "thin");
    test.client.change("thin", {{"running", false}});
    test.daemon.stop();
    run_or_fail({"/sbin/umount", test.tree()});
    REQUIRE(fs::is_empty(test.tree()));
    test.start();
    test.client.change("thin", {{"running", true}});
    CHECK(test.client.sh("thin", "cat /usr/local/etc/tool.conf") == "of the template");
    test.have_jail("copy", "copy");
    test.client.remove("copy");
    test.client.remove("thin");
}

TEST_CASE("a pool that is away keeps its jails down and nothing else", "[template][zfs]") {
    TemplateScene test(Backend::zfs);
    test.have_template();
    test.have_jail("thin", "thin");
    test.client.change("thin", {{"running", false}});
    test.daemon.stop();
    run_or_fail({"/sbin/umount", test.tree()});
    test.pool->take_away();
    test.start();
    CHECK(test.client.get("/v1/templates")["items"].size() == 2);
    const auto refused = test.daemon.request("PATCH", "/v1/jails/thin", R"({"running": true})", kWait);
    INFO(refused.body);
    CHECK(refused.status >= 400);
    test.pool->bring_back();
    CHECK(eventually([&] { return test.client.state("thin") == "running"; }, std::chrono::seconds(90)));
    CHECK(test.client.sh("thin", "cat /usr/local/etc/tool.conf") == "of the template");
    test.client.remove("thin");
}

TEST_CASE("a template that was imported into a directory stays one, and has no clones", "[template][zfs]") {
    TemplateScene test(Backend::directory);
    test.have_template();
    test.daemon.stop();
    test.pool.emplace(test.host);
    test.start();
    const auto refused = test.create("clone", "clone");
    INFO(refused.body);
    CHECK(refused.status == 422);
    CHECK(refused.body.contains("template_not_clonable"));
    test.have_jail("thin", "thin");
    CHECK(test.client.sh("thin", "cat /usr/local/etc/tool.conf") == "of the template");
    test.client.remove("thin");
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

/// The port by itself.
struct TreesScene {
    TestHost host;
    Pool pool{host};
    kernel::DriverOptions options = host.options();
    TreesScene() { options.zfs_parent = pool.parent(); }
};

TEST_CASE("what an import left half-made is found, and made anew or removed", "[template][zfs]") {
    TreesScene test;
    const TemplateId id{5};
    {
        kernel::FreeBsdTemplateTrees trees(test.options);
        value_of(trees.make(id));
        write_text(trees.directory(id) / "root/half", "x");
    }
    kernel::FreeBsdTemplateTrees trees(test.options);
    CHECK(value_of(trees.list()) == std::vector{id});
    value_of(trees.make(id));
    CHECK(fs::is_empty(trees.directory(id) / "root"));
    SECTION("as it is") {}
    SECTION("finished") {
        value_of(trees.finish(id));
    }
    SECTION("not mounted") {
        run_or_fail({"/sbin/umount", trees.directory(id) / "root"});
    }
    SECTION("without its directory") {
        run_or_fail({"/sbin/umount", trees.directory(id) / "root"});
        fs::remove_all(trees.directory(id));
    }
    SECTION("without its dataset") {
        run_or_fail({"/sbin/umount", trees.directory(id) / "root"});
        run_or_fail({"/sbin/zfs", "destroy", *value_of(trees.dataset(id))});
    }
    CHECK(value_of(trees.list()) == std::vector{id});
    value_of(trees.remove(id));
    CHECK(value_of(trees.list()).empty());
    CHECK(test.pool.listed() == test.pool.parent() + "\t-\n");
    value_of(trees.remove(id));
}

TEST_CASE("a template is not removed beneath a mount, nor from under a clone", "[template][zfs]") {
    TreesScene test;
    const TemplateId id{5};
    kernel::FreeBsdTemplateTrees trees(test.options);
    value_of(trees.make(id));
    const auto place = trees.directory(id) / "root/srv";
    write_text(place / "file", "x");
    value_of(trees.finish(id));
    SECTION("somebody's mount") {
        run_or_fail({"/sbin/mount", "-t", "tmpfs", "tmpfs", place});
        CHECK(error_of(trees.remove(id)).name() == "still_mounted");
        run_or_fail({"/sbin/umount", place});
    }
    SECTION("a mount of what is in it") {
        const auto elsewhere = test.host.state_directory() / "elsewhere";
        fs::create_directory(elsewhere);
        run_or_fail({"/sbin/mount", "-t", "nullfs", place, elsewhere});
        CHECK(error_of(trees.remove(id)).code == Errc::busy);
        CHECK(fs::exists(elsewhere / "file"));
        run_or_fail({"/sbin/umount", elsewhere});
    }
    SECTION("a clone") {
        const auto dataset = *value_of(trees.dataset(id));
        run_or_fail({"/sbin/zfs", "clone", dataset + "@base", test.pool.parent() + "/of-somebody"});
        CHECK(error_of(trees.remove(id)).name() == "dataset_busy");
        value_of(trees.ensure_mounted(id));
        CHECK(fs::exists(place / "file"));
        run_or_fail({"/sbin/zfs", "destroy", test.pool.parent() + "/of-somebody"});
    }
    value_of(trees.remove(id));
    CHECK(value_of(trees.list()).empty());
}

}  // namespace
}  // namespace jaild::test
