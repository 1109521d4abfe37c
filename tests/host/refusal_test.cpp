#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <memory>
#include <sstream>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/text_files.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace fs = std::filesystem;

namespace {

/// All addresses of the host, an interface and one of its addresses on a line.
std::string addresses_of(const TestHost& host) {
    const auto entered = host.enter();
    ifaddrs* first = nullptr;
    REQUIRE(::getifaddrs(&first) == 0);
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
    std::string text;
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        text += one->ifa_name;
        std::array<char, INET6_ADDRSTRLEN> name{};
        if (one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET)
            ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, name.data(),
                        name.size());
        if (one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET6)
            ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, name.data(),
                        name.size());
        text += std::string(" ") + name.data() + '\n';
    }
    return text;
}

/// A daemon with a running jail, whose process and whose interfaces and mounts must stay as they are.
struct Running {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    JailLife life;
    std::string interfaces;

    Running() {
        daemon.start();
        client.create({{"name", "web"}});
        life = client.life("web");
        interfaces = addresses_of(host);
    }

    [[nodiscard]] fs::path database() const { return host.state_directory() / "jaild.db"; }
    /// jaild, as one more program on this host, must give up at once and say why.
    void expect_refusal(const fs::path& state, const std::string& reason) const {
        expect_refused(host.on_host({jaild_program(), "--state-dir", state}), reason);
    }
    void expect_refused(const Argv& argv, const std::string& reason) const {
        const auto refused = value_of(run(argv, {.timeout = patience(std::chrono::seconds(20))}));
        INFO(refused.error_output);
        CHECK(refused.exit_code == 1);
        CHECK(refused.error_output.contains(reason));
        CHECK(lives(life));
        CHECK(addresses_of(host) == interfaces);
    }
};

/// What there is beneath a directory, with the content of its files.
std::map<std::string, std::string> listing(const fs::path& directory) {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        struct stat seen {};
        REQUIRE(::lstat(entry.path().c_str(), &seen) == 0);
        std::ostringstream line;
        line << seen.st_mode << ' ' << seen.st_uid << ' ' << seen.st_gid << ' ' << seen.st_mtim.tv_sec << '.'
             << seen.st_mtim.tv_nsec << ' ';
        if (S_ISLNK(seen.st_mode)) line << fs::read_symlink(entry.path());
        if (S_ISREG(seen.st_mode)) line << read_file(entry.path());
        found[entry.path()] = std::move(line).str();
    }
    return found;
}

/// sh(1) and what it is linked to, copied to where it is on this machine.
void copy_shell_to(const fs::path& directory) {
    run_or_fail({"sh", "-c",
                 "for file in $(ldd /bin/sh | grep -o '/[^ ]*') /bin/sh /libexec/ld-elf.so.1; do [ -f \"$file\" ] || "
                 "continue; mkdir -p \"$1/${file%/*}\" && cp -L \"$file\" \"$1/${file%/*}/\"; done",
                 "sh", directory});
}

}  // namespace

TEST_CASE("a second daemon on a state directory is refused and touches nothing", "[refusal]") {
    const Running test;
    test.expect_refusal(test.host.state_directory(), "state_in_use");
    CHECK(test.client.sh("web", "echo here") == "here");
}

TEST_CASE("a database that cannot be trusted is refused, and its jails run on", "[refusal]") {
    Running test;
    CHECK(test.daemon.stop() == 0);
    const auto good = read_file(test.database());

    SECTION("a corrupt one") {
        auto bad = good;
        bad.replace(100, 2000, std::string(2000, '\xa5'));
        write_file(test.database(), bad);
        test.expect_refusal(test.host.state_directory(), "corrupt");
        CHECK(read_file(test.database()) == bad);
    }
    SECTION("one of a newer jaild") {
        auto newer = good;
        newer.replace(60, 4, "\x7f\xff\xff\xff");  // user_version, sqlite.org/fileformat2.html §1.3
        write_file(test.database(), newer);
        test.expect_refusal(test.host.state_directory(), "newer");
        CHECK(read_file(test.database()) == newer);
    }
    SECTION("one that was made on another machine") {
        const auto& state = test.host.state_directory();
        test.expect_refused(test.host.on_another_machine({jaild_program(), "--state-dir", state}), "--claim");
    }

    SECTION("a copy of one, beside it on the same machine") {
        const TempDirectory copy;
        write_file(copy.path() / "jaild.db", good);
        test.expect_refusal(copy.path(), "--claim");
        CHECK(read_file(copy.path() / "jaild.db") == good);
    }

    write_file(test.database(), good);
    test.daemon.start();
    CHECK(test.client.life("web") == test.life);
}

TEST_CASE("a state directory that somebody else could replace is refused", "[refusal]") {
    const Running running;
    const auto above = running.host.state_directory() / "above";
    fs::create_directories(above / "state");
    fs::permissions(above / "state", fs::perms::owner_all);
    SECTION("by writing to a directory above it") {
        fs::permissions(above, fs::perms::all);
    }
    SECTION("by owning a directory above it") {
        REQUIRE(::chown(above.c_str(), 65534, 65534) == 0);
    }
    running.expect_refusal(above / "state", "state_directory_unsafe");
    CHECK(fs::is_empty(above / "state"));
}

TEST_CASE("a root of kind path is shown as it is, and neither changed nor removed", "[lifecycle]") {
    const TempDirectory tree;
    TestHost host;
    const auto directory = tree.path().string();
    for (const char* name : {"proc", "dev", "sys"}) fs::create_directories(tree.path() / name);
    copy_shell_to(tree.path());
    write_file(tree.path() / "own", "mine\n");
    const auto before = listing(tree.path());

    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "own"}, {"template", ""}, {"root", {{"kind", "path"}, {"path", directory}}}});
    CHECK(client.sh("own", "read -r line < /own; echo $line") == "mine");
    client.restart("own");
    client.change("own", {{"running", false}});
    client.remove("own");
    CHECK(listing(tree.path()) == before);
}

TEST_CASE("a path root that leads to the host's / by now is refused at the next start", "[refusal][lifecycle]") {
    const TempDirectory tree;
    const auto directory = tree.path() / "root";
    for (const char* name : {"proc", "dev", "sys"}) fs::create_directories(directory / name);
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "own"}, {"template", ""}, {"root", {{"kind", "path"}, {"path", directory}}}});
    client.change("own", {{"running", false}});
    fs::remove_all(directory);
    fs::create_directory_symlink("/", directory);

    const auto started = daemon.request("PATCH", "/v1/jails/own", R"({"running": true})", "Prefer: wait=20\r\n");
    INFO(started.body);
    CHECK(eventually([&] { return client.jail("own").at("status").dump().contains("path_refused"); }));
    CHECK(client.state("own") != "running");
    client.remove("own");
    CHECK(fs::exists("/usr/bin/env"));
}
