#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "core/base/unique_fd.h"
#include "tests/host/eventually.h"
#include "tests/host/template_scene_freebsd.h"
#include "tests/results.h"

/// Jails on their way into archives and templates, and out of them, as directories and as datasets.
namespace jaild::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kWaitForJail = "Prefer: wait=60\r\n";
constexpr const char* kArchive = "Content-Type: application/octet-stream\r\nPrefer: wait=60\r\n";

/// A template, and what is seen of a pool and of mounts.
struct TransferScene : TemplateScene {
    explicit TransferScene(Backend backend) : TemplateScene(backend) { have_template(); }

    [[nodiscard]] std::string datasets() const {
        return pool ? run_or_fail({"/sbin/zfs", "list", "-H", "-r", "-t", "all", "-o", "name", pool->parent()}) : "";
    }
    [[nodiscard]] std::vector<std::string> mounted_for_transfers() const {
        auto all = lines_with({"/sbin/mount", "-p"}, host.state_directory() / "exports");
        for (auto& one : lines_with({"/sbin/mount", "-p"}, host.state_directory() / "imports"))
            all.push_back(std::move(one));
        return all;
    }
    [[nodiscard]] bool directory_is_clear(const char* name) const {
        const auto place = host.state_directory() / name;
        return !fs::exists(place) || fs::is_empty(place);
    }
    void check_nothing_of_transfers() const {
        CHECK(mounted_for_transfers().empty());
        CHECK(directory_is_clear("exports"));
        CHECK(directory_is_clear("imports"));
        CHECK(client.get("/v1/snapshots").at("items").empty());
    }
    [[nodiscard]] std::string export_of(const std::string& name) const {
        auto archive = daemon.request("GET", "/v1/jails/" + name + "/export");
        INFO(archive.body.substr(0, 500));
        REQUIRE(archive.status == 200);
        return std::move(archive.body);
    }
    [[nodiscard]] HttpReply import_as(const std::string& name, const std::string& archive) const {
        return daemon.request("POST", "/v1/import/jail?name=" + name, archive, kArchive);
    }
    void stop(const std::string& name) const { client.change(name, {{"running", false}}); }
    void start_jail(const std::string& name) const { client.change(name, {{"running", true}}); }
};

/// A connection on which something was said.
UniqueFd connected(const Daemon& daemon, const std::string& text) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = daemon.socket().native();
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    for (std::size_t sent = 0; sent < text.size();) {
        const auto more = ::send(socket.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        REQUIRE(more > 0);
        sent += static_cast<std::size_t>(more);
    }
    return socket;
}

/// Zeros that are written: an archive of more than any buffer holds on the way.
constexpr const char* kBig = "dd if=/dev/random of=/srv/big bs=1048576 count=24 2>/dev/null && echo made";

TEST_CASE("an exported jail comes back as it was, with nothing of the export left", "[transfers][zfs]") {
    const auto [backend, kind] = GENERATE(table<Backend, const char*>({{Backend::directory, "thin"},
                                                                       {Backend::directory, "copy"},
                                                                       {Backend::zfs, "thin"},
                                                                       {Backend::zfs, "copy"},
                                                                       {Backend::zfs, "clone"}}));
    const bool running = GENERATE(true, false);
    INFO(kind << ", running: " << running);
    const TransferScene test(backend);
    test.have_jail("web", kind);
    CHECK(test.client.sh("web", "echo mine > /srv/file && chmod 640 /srv/file && cat /srv/file") == "mine");
    if (backend == Backend::zfs) test.client.change("web", {{"root", {{"quota", "60M"}}}});
    if (!running) test.stop("web");
    const auto before = test.datasets();
    const auto archive = test.export_of("web");
    CHECK(eventually([&] { return test.datasets() == before; }));
    CHECK(eventually([&] { return test.client.get("/v1/snapshots").at("items").empty(); }));
    test.check_nothing_of_transfers();

    const auto made = test.import_as("two", archive);
    INFO(made.body);
    REQUIRE(made.status == 201);
    test.check_nothing_of_transfers();
    if (!running) test.start_jail("two");
    CHECK(test.client.sh("two", "cat /srv/file && set -- $(ls -l /srv/file) && echo $1") == "mine\n-rw-r-----");
    CHECK(test.client.sh("two", "cat /usr/local/etc/tool.conf") == "of the template");
    CHECK(test.client.jail("two").at("spec").at("root") == test.client.jail("web").at("spec").at("root"));
    test.client.remove("web");
    CHECK(test.client.sh("two", "cat /srv/file") == "mine");
    test.client.remove("two");
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("a daemon that is killed while it exports or imports leaves nothing", "[transfers][zfs]") {
    TransferScene test(GENERATE(Backend::directory, Backend::zfs));
    test.have_jail("web", "copy");
    CHECK(test.client.sh("web", kBig) == "made");
    const auto before = test.datasets();
    SECTION("an export of a jail that runs") {
        const auto reader = connected(test.daemon, "GET /v1/jails/web/export HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if (test.pool) {
            REQUIRE(eventually([&] { return !test.mounted_for_transfers().empty(); }));
            CHECK(test.datasets() != before);
        }
        test.daemon.kill();
        test.start();
    }
    SECTION("an import that is half there") {
        const auto archive = test.export_of("web");
        REQUIRE(eventually([&] { return test.datasets() == before; }));
        const auto writer =
            connected(test.daemon,
                      "POST /v1/import/jail?name=two HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Type: application/octet-stream\r\nContent-Length: " +
                          std::to_string(archive.size()) + "\r\n\r\n" + archive.substr(0, archive.size() / 2));
        REQUIRE(eventually([&] { return test.daemon.request("GET", "/v1/jails/two").status == 200; }));
        if (test.pool) REQUIRE(eventually([&] { return !test.mounted_for_transfers().empty(); }));
        test.daemon.kill();
        test.start();
        CHECK(eventually([&] { return test.daemon.request("GET", "/v1/jails/two").status == 404; },
                         std::chrono::seconds(60)));
    }
    CHECK(eventually([&] { return test.client.get("/v1/snapshots").at("items").empty(); }, std::chrono::seconds(60)));
    CHECK(eventually([&] { return test.datasets() == before; }));
    test.check_nothing_of_transfers();
    CHECK(test.client.sh("web", "ls /srv") == "big");
    test.client.remove("web");
}

TEST_CASE("a template is made of a stopped jail, whatever its root is", "[transfers][template][zfs]") {
    const auto [backend, kind] = GENERATE(table<Backend, const char*>({{Backend::directory, "thin"},
                                                                       {Backend::directory, "copy"},
                                                                       {Backend::zfs, "thin"},
                                                                       {Backend::zfs, "copy"},
                                                                       {Backend::zfs, "clone"}}));
    INFO(kind);
    TransferScene test(backend);
    test.have_jail("web", kind);
    CHECK(test.client.sh("web", "echo mine > /srv/file && echo x > /etc/resolv.conf && cat /srv/file") == "mine");
    test.stop("web");
    // As after a reboot: the template that a thin root shares is mounted anew.
    if (test.pool) run_or_fail({"/sbin/umount", test.tree()});
    const auto made = test.daemon.request("POST", "/v1/templates", R"({"name": "site", "version": "1", "jail": "web"})",
                                          kWaitForJail);
    INFO(made.body);
    REQUIRE(made.status == 201);
    test.check_nothing_of_transfers();
    test.start_jail("web");
    test.client.create({{"name", "two"}, {"template", "site:1"}, {"root", {{"kind", "thin"}}}});
    CHECK(test.client.sh("two", "cat /srv/file /usr/lib/site/module && ls /bin/sh") ==
          "mine\nof the template\n/bin/sh");
    CHECK(test.client.sh("two", "(echo x > /bin/sh) 2>/dev/null || echo refused") == "refused");
    test.client.remove("two");
    test.client.remove("web");
    CHECK(test.daemon.request("DELETE", "/v1/templates/site:1", "", kWaitForJail).status == 204);
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("a jail that is started while a template is made of it starts, and ends that", "[transfers][template][zfs]") {
    TransferScene test(GENERATE(Backend::directory, Backend::zfs));
    test.have_jail("web", "copy");
    CHECK(test.client.sh("web",
                         "mkdir /srv/many && cd /srv/many && i=0; while [ $i -lt 20000 ]; do : > $i; "
                         "i=$((i + 1)); done; echo made") == "made");
    test.stop("web");
    const auto asked =
        test.daemon.request("POST", "/v1/templates", R"({"name": "site", "version": "1", "jail": "web"})");
    INFO(asked.body);
    REQUIRE(asked.status == 202);
    test.start_jail("web");
    CHECK(eventually([&] { return test.client.state("web") == "running"; }, std::chrono::seconds(60)));
    CHECK(eventually([&] { return test.daemon.request("GET", "/v1/templates/site:1").status == 404; },
                     std::chrono::seconds(60)));
    test.check_nothing_of_transfers();
    test.client.remove("web");
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

TEST_CASE("an updater works on a copy, and only what it changes makes a new version", "[template][update][zfs]") {
    TransferScene test(GENERATE(Backend::directory, Backend::zfs));
    const auto before = test.listing();
    const auto program = test.host.state_directory() / "updater";
    const auto ask = [&](const std::string& script) {
        write_text(program, "#!/bin/sh\n" + script + "\n");
        fs::permissions(program, fs::perms::owner_all);
        return test.daemon.request("POST", "/v1/templates/small:1/update", R"({"version": "2"})", kWaitForJail);
    };
    test.daemon.stop();
    const auto config = test.host.state_directory() / "update.toml";
    std::ofstream(config) << (test.pool ? "zfs_parent = \"" + test.pool->parent() + "\"\n" : "")
                          << "template_update = [\"" << program.native() << "\"]\n";
    test.daemon.start({"--config", config});

    const auto same = ask("echo x > \"$JAILD_ROOT/var/db/catalogue\"");
    CHECK(same.body.contains("template_up_to_date"));
    const auto failed = ask("echo of no use; exit 3");
    CHECK((failed.body.contains("update_failed") && failed.body.contains("of no use")));
    CHECK(test.daemon.request("GET", "/v1/templates/small:2").status == 404);
    const auto made = ask("[ \"$1\" = \"$JAILD_ROOT\" ] && echo new > \"$1/usr/local/etc/tool.conf\"");
    INFO(made.body);
    REQUIRE(made.status == 201);
    CHECK(test.listing() == before);
    test.client.create({{"name", "web"}, {"template", "small:2"}, {"root", {{"kind", test.pool ? "clone" : "copy"}}}});
    CHECK(test.client.sh("web", "cat /usr/local/etc/tool.conf") == "new");
    test.client.remove("web");
    CHECK(test.daemon.request("DELETE", "/v1/templates/small:2", "", kWaitForJail).status == 204);
    CHECK(test.remove_template().status == 204);
    test.check_nothing_left();
}

}  // namespace
}  // namespace jaild::test
