#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/own_thread.h"
#include "tests/host/link_fixture_linux.h"

using namespace jaild;
using namespace jaild::test;
namespace netns = jaild::kernel::netns;

namespace {

ino_t own_namespace() {
    struct stat info {};
    REQUIRE(::stat("/proc/thread-self/ns/net", &info) == 0);
    return info.st_ino;
}

bool listed(const std::string& name) {
    return std::ranges::count(value_of(netns::list()), name) == 1;
}

}  // namespace

TEST_CASE("a named namespace is made with lo up, and this thread stays where it is", "[netns]") {
    TestHost host;
    const auto name = kernel::container_name(host.instance(), JailId{1});
    const auto before = own_namespace();
    value_of(netns::create(name));
    CHECK(own_namespace() == before);
    CHECK(listed(name));
    CHECK(run_or_fail({"ip", "-n", name, "-brief", "address"}).contains("127.0.0.1/8"));

    struct stat first {};
    struct stat second {};
    REQUIRE(::stat(netns::path(name).c_str(), &first) == 0);
    value_of(netns::create(name));
    REQUIRE(::stat(netns::path(name).c_str(), &second) == 0);
    CHECK(first.st_ino == second.st_ino);

    value_of(netns::remove(name));
    CHECK_FALSE(listed(name));
    value_of(netns::remove(name));
}

TEST_CASE("the empty file that a crash left is finished or removed", "[netns]") {
    TestHost host;
    const auto name = kernel::container_name(host.instance(), JailId{1});
    std::ofstream(netns::path(name)).flush();
    CHECK_FALSE(value_of(netns::open(name)));
    CHECK(listed(name));

    SECTION("finished") {
        value_of(netns::create(name));
        CHECK(value_of(netns::open(name)));
    }
    SECTION("removed") {
        value_of(netns::remove(name));
        CHECK_FALSE(listed(name));
    }
}

TEST_CASE("work inside a namespace leaves no trace on the calling thread", "[netns]") {
    TestHost host;
    const auto name = kernel::container_name(host.instance(), JailId{1});
    value_of(netns::create(name));
    const auto target = value_of(netns::open(name));
    REQUIRE(target);
    const auto before = own_namespace();
    ino_t inside = 0;
    value_of(netns::run_in(target->get(), [&inside]() -> Result<void> {
        inside = own_namespace();
        return {};
    }));
    CHECK(inside != before);
    CHECK(own_namespace() == before);
    CHECK(error_of(netns::run_in(target->get(), []() -> Result<void> { throw std::runtime_error("thrown"); })).detail ==
          "thrown");
}

TEST_CASE("a namespace of a private /run can be removed, whoever makes one after it", "[netns]") {
    const Result<void> done = kernel::on_own_thread([]() -> Result<void> {
        const auto failed = [](const char* what) { return std::unexpected(Error::from_errno("mount", errno, what)); };
        if (::unshare(CLONE_NEWNS) != 0) return failed("unshare");
        if (::mount("", "/", "none", MS_REC | MS_PRIVATE, nullptr) != 0) return failed("/");
        if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) return failed("/run");
        const std::vector<Argv> later{{"ip", "netns", "add", "theirs"}, {"ip", "netns", "delete", "theirs"}};
        if (auto made = netns::create("ours"); !made) return made;
        for (const auto& argv : later) {
            const auto ran = run(argv);
            if (!ran) return std::unexpected(ran.error());
            if (ran->exit_code != 0) return std::unexpected(Error{.op = "ip", .detail = ran->error_output});
        }
        if (auto made = netns::create("ours too"); !made) return made;
        for (const auto* name : {"ours", "ours too"})
            if (auto removed = netns::remove(name); !removed) return removed;
        const auto names = netns::list();
        if (!names) return std::unexpected(names.error());
        if (!names->empty()) return std::unexpected(Error{.op = "netns", .detail = names->front() + " is left"});
        return {};
    });
    value_of(done);
}
