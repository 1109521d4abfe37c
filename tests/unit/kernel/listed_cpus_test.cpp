#include "core/kernel/limits.h"
#include "tests/results.h"

using namespace jaild;
using jaild::kernel::among_cpus;
using jaild::kernel::listed_cpus;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("a jail's processors are listed as they were asked for, where it has these", "[kernel][cpus]") {
    CHECK(listed_cpus("0-1", "0-3", "0-1") == "0-1");
    CHECK(listed_cpus("0-1", "0-3", "") == "0-1");
    CHECK(listed_cpus("0,1", "0-3", "2") == "0-1");
    CHECK(listed_cpus("0-3", "0-3", "2").empty());
    CHECK(listed_cpus("", "0-3", "").empty());
}

TEST_CASE("all of a host's processors are none that were asked for, and all that were", "[kernel][cpus]") {
    CHECK(listed_cpus("0-3", "0-3", "").empty());
    CHECK(listed_cpus("0-3", "0-3", "0-3") == "0-3");
    CHECK(listed_cpus("0", "0", "0") == "0");
}

TEST_CASE("a processor that the host has not is refused with those that it has", "[kernel][cpus]") {
    value_of(among_cpus("0,3", "0-3"));
    value_of(among_cpus("2", "0,2"));
    const auto error = error_of(among_cpus("1-2", "0,2"));
    CHECK(error.reason == "no_such_cpu");
    CHECK(error.detail.find("0,2") != std::string::npos);
}
