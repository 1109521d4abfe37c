#include "core/model/cpus.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"

using namespace jaild;
using jaild::model::Cpus;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("processors are read as cpuset(1) writes them, and written in one way", "[model][cpus]") {
    CHECK(model::parse_cpus("0-3,6") == Cpus{0, 1, 2, 3, 6});
    CHECK(model::parse_cpus("6,0-1,1-3") == Cpus{0, 1, 2, 3, 6});
    CHECK(model::parse_cpus("1023") == Cpus{1023});
    CHECK(model::to_string(Cpus{0, 1, 2, 3, 6, 8, 9}) == "0-3,6,8-9");
    CHECK(model::to_string(Cpus{}).empty());
    for (const auto* wrong : {"", "a", "3-1", "-1", "1-", "1,,2", ",1", "1,", "1024", "0-1024", "1 2", "0x1", "+1"}) {
        INFO(wrong);
        CHECK_FALSE(model::parse_cpus(wrong));
    }
}

TEST_CASE("a spec's cpuset is kept as it is written, and refused with its field", "[model][cpus]") {
    CHECK(value_of(model::parse_cpuset("3,0-2", "/cpuset")) == "0-3");
    CHECK(value_of(model::parse_cpuset("", "/cpuset")).empty());
    CHECK(error_of(model::parse_cpuset("x", "/cpuset")).field == "/cpuset");
    CHECK(error_of(model::parse_cpuset(3, "/cpuset")).reason == "wrong_type");
}
