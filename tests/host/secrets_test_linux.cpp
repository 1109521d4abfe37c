#include <unistd.h>

#include <fstream>

#include "tests/host/client_linux.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Long enough to be nowhere by accident. Never in a program's arguments: those of a search would be found in /proc.
constexpr const char* kSecret = "planted-3f1c9a7e5b2d4860";

/// A file of this machine that no jail may see; gone with the object.
class Planted {
public:
    explicit Planted(std::filesystem::path path) : path_(std::move(path)) {
        REQUIRE_FALSE(std::filesystem::exists(path_));
        std::ofstream(path_) << kSecret << '\n';
        REQUIRE(std::filesystem::exists(path_));
    }
    Planted(const Planted&) = delete;
    Planted& operator=(const Planted&) = delete;
    ~Planted() { ::unlink(path_.c_str()); }

private:
    std::filesystem::path path_;
};

struct Seen {
    TestHost host;
    std::string name = "jaild-secret-of-" + host.instance().text();
    Planted etc{"/etc/" + name};
    Planted root{"/root/" + name};
    Planted home{"/home/" + name};
    Planted local{"/usr/local/" + name};
    Planted library{"/usr/local/lib/" + name};
    Daemon daemon{host};
    Client client{daemon};

    Seen() {
        daemon.set_environment({"PATH=" + std::string(kSystemPath), std::string("JAILD_TEST_SECRET=") + kSecret});
        daemon.start();
        client.create({{"name", "web"}, {"command", {"/bin/sleep", "1000"}}});
    }

    /// What a line of sh(1) finds in the jail, which has the secret on its standard input.
    [[nodiscard]] std::string found(const std::string& line) const {
        const json body{{"argv", {"/bin/sh", "-c", line}}, {"stdin", std::string(kSecret) + '\n'}};
        const auto reply = daemon.request("POST", "/v1/jails/web/exec", body.dump());
        INFO(line << ": " << reply.body);
        REQUIRE(reply.status == 200);
        return json::parse(reply.body).at("stdout");
    }
};

/// Reads the secret as grep's pattern.
const std::string kGrep = "grep -r -s -l -F -f /dev/stdin -- ";

/// Directories of the jail's root, for a line of sh(1) that goes on with "$@". Of /usr only /usr/local can be anybody's
/// own: the rest is the system's packages.
const std::string kPlaces =
    "set --; for one in /* /usr/local; do case $one in "
    "/proc|/sys|/usr|/bin|/sbin|/lib*) ;; *) set -- \"$@\" $one;; esac; done; ";

}  // namespace

TEST_CASE("nothing of the host's /etc, /root, /home and /usr/local is seen in a thin jail", "[secrets]") {
    const Seen test;
    INFO("what is there is found");
    REQUIRE(test.found("cat > /root/own; " + kPlaces + "find \"$@\" -name own") == "/root/own\n");
    REQUIRE(test.found(kPlaces + kGrep + "\"$@\"") == "/root/own\n");
    REQUIRE(test.found("rm /root/own").empty());

    CHECK(test.found(kPlaces + "find \"$@\" -name " + test.name) == "");
    CHECK(test.found(kPlaces + kGrep + "\"$@\"") == "");
}

TEST_CASE("nothing of the host is seen through a jail's /proc", "[secrets]") {
    const Seen test;
    const std::string look =
        "grep -s -l -a -F -f /dev/stdin /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/environ";
    INFO("what is there is found");
    REQUIRE(test.found("read -r OWN; export OWN; echo $OWN | " + look).ends_with("/proc/self/environ\n"));

    CHECK(test.found(look) == "");
    CHECK(test.found("ls -d /proc/[0-9]*/root/*/" + test.name + " /proc/[0-9]*/root/usr/local/" + test.name +
                     " /proc/[0-9]*/cwd/" + test.name + " /proc/[0-9]*/fd/*/" + test.name + " 2>/dev/null") == "");
    CHECK(test.found("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F " + test.host.state_directory().string()) == "");
    // The pause process, the command, and what looks.
    CHECK(test.client.sh("web", "set -- /proc/[0-9]*; [ $# -le 4 ] || echo $# processes").empty());
}
