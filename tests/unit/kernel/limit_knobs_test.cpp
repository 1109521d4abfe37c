#include "core/kernel/linux/pure/limit_knobs.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel::cgroups;
using jaild::model::Limits;
using jaild::test::error_of;

namespace {

model::Limit denied(std::int64_t amount) {
    return {.amount = amount, .action = "deny"};
}

/// What is listed after that amount was written and the kernel made `text` of it.
std::optional<model::LimitRule> listed(const std::string& resource, std::int64_t asked, const std::string& text) {
    return knob_rule(*knob_of(resource), text, {{resource, denied(asked)}});
}

}  // namespace

TEST_CASE("limits are written as control groups of both versions have them", "[limits][cgroups]") {
    const auto text = [](std::string_view resource, Version version, std::optional<std::int64_t> amount) {
        return knob_text(*knob_of(resource), version, amount);
    };
    using enum Version;
    CHECK(text("memoryuse", v1, 64 << 20) == "67108864");
    CHECK(text("memoryuse", v2, 64 << 20) == "67108864");
    CHECK(text("memoryuse", v1, std::nullopt) == "-1");
    CHECK(text("memoryuse", v2, std::nullopt) == "max");
    CHECK(text("maxproc", v1, 5) == "6");
    CHECK(text("maxproc", v2, std::nullopt) == "2048");
    CHECK(text("pcpu", v1, 150) == "150000");
    CHECK(text("pcpu", v2, 150) == "150000 100000");
    CHECK(text("pcpu", v1, std::nullopt) == "-1");
    CHECK(text("pcpu", v2, std::nullopt) == "max");
}

TEST_CASE("what is in force is listed as it was asked for, and anything else as it is", "[limits][cgroups]") {
    CHECK(listed("memoryuse", 20'000'000, "19996672\n")->limit == denied(20'000'000));
    CHECK(listed("memoryuse", 20'000'000, "20480000\n")->limit == denied(20'480'000));
    CHECK(listed("memoryuse", 20'000'000, "18000000\n")->limit == denied(18'000'000));
    CHECK_FALSE(listed("memoryuse", 20'000'000, "9223372036854771712\n"));
    CHECK_FALSE(listed("memoryuse", 20'000'000, "max\n"));
    CHECK(listed("maxproc", 5, "6\n")->limit == denied(5));
    CHECK(listed("maxproc", 5, "9\n")->limit == denied(8));
    CHECK_FALSE(listed("maxproc", 5, "max\n"));
    CHECK_FALSE(listed("maxproc", 5, "2048\n"));
    CHECK(listed("maxproc", 2047, "2048\n")->limit == denied(2047));
    CHECK(listed("pcpu", 50, "50000 100000\n")->limit == denied(50));
    CHECK(listed("pcpu", 50, "50000\n")->limit == denied(50));
    CHECK_FALSE(listed("pcpu", 50, "max 100000\n"));
    CHECK_FALSE(listed("pcpu", 50, "-1\n"));
    CHECK_FALSE(knob_rule(*knob_of("pcpu"), "", {}));
}

TEST_CASE("what control groups do not limit is refused with its field", "[limits][cgroups]") {
    const auto field = [](const model::Limits& limits) { return error_of(check_knobs(limits)).field; };
    CHECK(check_knobs({{"memoryuse", denied(16 << 20)}, {"maxproc", denied(1)}, {"pcpu", denied(1)}}));
    CHECK(check_knobs({{"maxproc", denied((1 << 22) - 1)}, {"pcpu", denied(1'000'000)}}));
    CHECK(field({{"openfiles", denied(1)}}) == "/openfiles");
    CHECK(field({{"maxproc", {.amount = 1, .action = "log"}}}) == "/maxproc/action");
    CHECK(field({{"maxproc", {.amount = 1, .action = "deny", .per = "user"}}}) == "/maxproc/per");
    CHECK(field({{"memoryuse", denied((16 << 20) - 1)}}) == "/memoryuse/amount");
    CHECK(field({{"maxproc", denied(1 << 22)}}) == "/maxproc/amount");
    CHECK(field({{"pcpu", denied(0)}}) == "/pcpu/amount");
    CHECK(field({{"pcpu", denied(1'000'001)}}) == "/pcpu/amount");
    CHECK(error_of(check_knobs({{"openfiles", denied(1)}})).reason == "limits_unsupported");
}

TEST_CASE("a jail is made with its limits, and with a bound on its tasks in any case", "[limits][cgroups]") {
    CHECK(oci_limits({}).dump() == R"({"pids":{"limit":2048}})");
    CHECK(oci_limits({{"maxproc", denied(5)}, {"memoryuse", denied(32 << 20)}, {"pcpu", denied(50)}}).dump() ==
          R"({"cpu":{"period":100000,"quota":50000},"memory":{"limit":33554432},"pids":{"limit":6}})");
}
