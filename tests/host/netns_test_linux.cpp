#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/kernel/linux/netns.h"
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
