#include "core/kernel/linux/pure/disk_limits.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel::cgroups;
using jaild::test::error_of;
using enum jaild::kernel::cgroups::Version;

namespace {

constexpr DiskId kDisk{.major = 254, .minor = 0};

model::Limit throttled(std::int64_t amount) {
    return {.amount = amount, .action = "throttle"};
}

std::optional<std::int64_t> amount(const char* resource, Version version, const char* text) {
    const auto rule = disk_rule(*knob_of(resource), version, kDisk, text);
    if (!rule) return std::nullopt;
    CHECK(rule->resource == resource);
    CHECK(rule->limit.action == "throttle");
    return rule->limit.amount;
}

}  // namespace

TEST_CASE("limits of a disk are written as control groups of both versions have them", "[limits][cgroups]") {
    CHECK(disk_text(*knob_of("readbps"), v1, kDisk, 1 << 20) == "254:0 1048576");
    CHECK(disk_text(*knob_of("readbps"), v1, kDisk, std::nullopt) == "254:0 0");
    CHECK(disk_text(*knob_of("writeiops"), v2, kDisk, 100) == "254:0 wiops=100");
    CHECK(disk_text(*knob_of("writebps"), v2, kDisk, std::nullopt) == "254:0 wbps=max");
}

TEST_CASE("what is in force is read from the line of the jail's disk", "[limits][cgroups]") {
    CHECK(amount("readbps", v1, "8:0 5\n254:0 1048576\n") == 1 << 20);
    CHECK_FALSE(amount("readbps", v1, "8:0 5\n254:01 7\n"));
    CHECK_FALSE(amount("readbps", v1, ""));
    const auto* io_max = "8:0 rbps=1 wbps=2 riops=3 wiops=4\n254:0 rbps=max wbps=2097152 riops=max wiops=120\n";
    CHECK(amount("writebps", v2, io_max) == 2 << 20);
    CHECK(amount("writeiops", v2, io_max) == 120);
    CHECK_FALSE(amount("readbps", v2, io_max));
    CHECK_FALSE(amount("readiops", v2, "254:0\n"));
    CHECK_FALSE(amount("readiops", v2, "254:0 riops=x9"));
}

TEST_CASE("control groups slow a jail's disk down, and do nothing else to it", "[limits][cgroups]") {
    const auto field = [](const model::Limits& limits) { return error_of(check_knobs(limits)).field; };
    CHECK(check_knobs({{"readbps", throttled(1)}, {"writeiops", throttled(std::int64_t{1} << 31)}}));
    CHECK(field({{"readbps", {.amount = 1, .action = "log"}}}) == "/readbps/action");
    CHECK(field({{"writebps", {.amount = 1, .action = "throttle", .per = "process"}}}) == "/writebps/per");
    CHECK(field({{"readiops", throttled((std::int64_t{1} << 31) + 1)}}) == "/readiops/amount");
    CHECK(field({{"readbps", throttled(0)}}) == "/readbps/amount");
    CHECK(field({{"maxproc", throttled(1)}}) == "/maxproc/action");
}

TEST_CASE("a jail is made with the limits of its disk", "[limits][cgroups]") {
    CHECK_FALSE(any_of_disk({{"maxproc", {.amount = 1, .action = "deny"}}}));
    const model::Limits limits{{"readbps", throttled(4096)}, {"writeiops", throttled(9)}, {"pcpu", {.amount = 50}}};
    CHECK(any_of_disk(limits));
    const auto throttles = oci_throttles(limits, kDisk);
    CHECK(throttles.size() == 2);
    CHECK(throttles.at("throttleReadBpsDevice") ==
          nlohmann::json::array({{{"major", 254}, {"minor", 0}, {"rate", 4096}}}));
    CHECK(throttles.at("throttleWriteIOPSDevice").at(0).at("rate") == 9);
}
