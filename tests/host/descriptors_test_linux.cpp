#include <sys/resource.h>

#include "tests/few_descriptors.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"

namespace jaild::test {
namespace {

using nlohmann::json;

/// Another process's; its old one is set again with the object's end.
class LimitedProcess {
public:
    LimitedProcess(pid_t pid, rlim_t soft) : pid_(pid) {
        REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_) == 0);
        const rlimit limited{.rlim_cur = soft, .rlim_max = before_.rlim_max};
        REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, &limited, nullptr) == 0);
    }
    ~LimitedProcess() { ::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }
    LimitedProcess(const LimitedProcess&) = delete;
    LimitedProcess& operator=(const LimitedProcess&) = delete;

private:
    pid_t pid_;
    rlimit before_{};
};

TEST_CASE("without descriptors a look at a living jail fails, and never says that it is dead",
          "[host][jails][descriptors]") {
    JailFixture jail;
    jail.start(kJail);
    const auto healthy = jail.observed(kJail);
    std::size_t failed = 0;
    for (unsigned left = 0; left < 12; ++left) {
        std::vector<Result<std::vector<kernel::ObservedJail>>> looks;
        {
            const FewDescriptors few(left);
            looks.push_back(jail.jails.list(kJail));
            looks.push_back(jail.jails.list({}));
        }
        INFO(left << " descriptors left");
        for (const auto& look : looks) {
            if (look) CHECK(*look == std::vector{healthy});
            if (look) continue;
            CHECK(look.error().code == Errc::exhausted);
            ++failed;
        }
    }
    CHECK(failed > 0);
    CHECK(jail.observed(kJail) == healthy);
}

TEST_CASE("a daemon without descriptors leaves its jails alone", "[adoption][descriptors]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", {"/bin/sleep", "1000"}}});
    const auto web = client.life("web");
    const auto command = client.command_pid("web");
    const auto before = client.last_event();
    {
        const LimitedProcess limited(daemon.pid(), 8);
        REQUIRE(eventually([&] { return daemon.log().contains("Too many open files"); }, std::chrono::seconds(60)));
    }
    CHECK(lives(command));
    CHECK(client.life("web") == web);
    CHECK(client.command_pid("web") == command);
    CHECK(client.repairs(before, "jail", "web").empty());
    // What failed for want of a descriptor is looked at again.
    CHECK(eventually([&] { return client.state("web") == "running"; }));
    CHECK(client.life("web") == web);
}

TEST_CASE("the daemon takes all descriptors that it may have, its jails keep their limit", "[adoption][descriptors]") {
    TestHost host;
    Daemon daemon(host);
    rlimit own{};
    {
        const LimitedProcess usual(::getpid(), 256);
        daemon.start();
        REQUIRE(::prlimit(daemon.pid(), RLIMIT_NOFILE, nullptr, &own) == 0);
    }
    REQUIRE(own.rlim_max > 256);
    CHECK(own.rlim_cur == own.rlim_max);
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", {"/bin/sleep", "1000"}}});
    const auto hard = std::to_string(std::min<rlim_t>(own.rlim_max, 524'288));
    const auto limits = [&](const std::string& soft) { return "Max open files " + soft + " " + hard + " files "; };
    for (const auto* who : {"self", "1"}) {
        INFO(who);
        const auto seen = client.sh("web", "grep 'open files' /proc/" + std::string(who) + "/limits | tr -s ' '");
        // runc before 1.1.13 now and then raises the soft limit to the hard one (opencontainers/runc issue 4195).
        CHECK((seen == limits(std::to_string(std::min<rlim_t>(own.rlim_max, 1024))) || seen == limits(hard)));
    }
}

}  // namespace
}  // namespace jaild::test
