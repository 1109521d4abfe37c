
#include "tests/host/client_linux.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace fs = std::filesystem;

namespace {

/// All addresses of the host, without the kernel's own progress with them (duplicate address detection).
std::string addresses_of(const TestHost& host) {
    auto text = host.run_on_host({"ip", "-oneline", "address"});
    const std::string progress = " tentative";
    for (auto at = text.find(progress); at != std::string::npos; at = text.find(progress))
        text.erase(at, progress.size());
    return text;
}

/// A daemon with a running jail, whose process and whose interfaces and mounts must stay as they are.
struct Running {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    pid_t pause = 0;
    std::string interfaces;

    Running() {
        daemon.start();
        client.create({{"name", "web"}});
        pause = client.pid("web");
        interfaces = addresses_of(host);
    }

    [[nodiscard]] fs::path database() const { return host.state_directory() / "jaild.db"; }
    /// jaild, as one more program on this host, must give up at once and say why.
    void expect_refusal(const Argv& before, const fs::path& state, const std::string& reason) const {
        Argv argv = before;
        argv.insert(argv.end(), {jaild_program(), "--state-dir", state});
        const auto refused = value_of(run(host.on_host(argv), {.timeout = std::chrono::seconds(20)}));
        INFO(refused.error_output);
        CHECK(refused.exit_code == 1);
        CHECK(refused.error_output.contains(reason));
        CHECK(lives(pause));
        CHECK(addresses_of(host) == interfaces);
    }
};

/// What there is beneath a directory, with the content of its files.
std::string listing(const fs::path& directory) {
    return run_or_fail({"find", directory, "-printf", "%p %M %U %G %l %T@\n"}) +
           run_or_fail({"find", directory, "-type", "f", "-exec", "cksum", "{}", "+"});
}

}  // namespace

TEST_CASE("a second daemon on a state directory is refused and touches nothing", "[refusal]") {
    const Running test;
    test.expect_refusal({}, test.host.state_directory(), "state_in_use");
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
        test.expect_refusal({}, test.host.state_directory(), "corrupt");
        CHECK(read_file(test.database()) == bad);
    }
    SECTION("one of a newer jaild") {
        auto newer = good;
        newer.replace(60, 4, "\x7f\xff\xff\xff");  // user_version, sqlite.org/fileformat2.html §1.3
        write_file(test.database(), newer);
        test.expect_refusal({}, test.host.state_directory(), "newer");
        CHECK(read_file(test.database()) == newer);
    }
    SECTION("one that was made on another machine") {
        const auto identity = test.host.state_directory() / "machine-id";
        write_file(identity, "0123456789abcdef0123456789abcdef\n");
        REQUIRE(fs::exists("/etc/machine-id"));
        const Argv elsewhere{
            "unshare", "--mount", "sh", "-c", "mount --bind " + identity.string() + " /etc/machine-id && exec \"$@\"",
            "sh"};
        test.expect_refusal(elsewhere, test.host.state_directory(), "--claim");
    }

    SECTION("a copy of one, beside it on the same machine") {
        const TempDirectory copy;
        write_file(copy.path() / "jaild.db", good);
        test.expect_refusal({}, copy.path(), "--claim");
        CHECK(read_file(copy.path() / "jaild.db") == good);
    }

    write_file(test.database(), good);
    test.daemon.start();
    CHECK(test.client.pid("web") == test.pause);
}

TEST_CASE("a root of kind path is shown as it is, and neither changed nor removed", "[lifecycle]") {
    const TempDirectory tree;
    TestHost host;
    const auto directory = tree.path().string();
    make_path_root(tree.path());
    run_or_fail({"sh", "-c",
                 "for file in $(ldd /bin/sh | grep -o '/[^ ]*') /bin/sh; do mkdir -p \"$1/${file%/*}\" && "
                 "cp -L \"$file\" \"$1/${file%/*}/\"; done; echo mine > \"$1/own\"",
                 "sh", directory});
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
