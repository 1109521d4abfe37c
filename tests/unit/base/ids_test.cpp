#include "core/base/ids.h"

#include <limits>
#include <set>

#include "core/base/random.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

TEST_CASE("base 36 has one spelling for each number", "[ids]") {
    const auto [value, text] =
        GENERATE(table<std::uint64_t, std::string>({{0, "0"},
                                                    {9, "9"},
                                                    {10, "a"},
                                                    {35, "z"},
                                                    {36, "10"},
                                                    {1295, "zz"},
                                                    {std::numeric_limits<std::uint64_t>::max(), "3w5e11264sgsf"}}));
    CHECK(to_base36(value) == text);
    CHECK(value_of(from_base36(text)) == value);
}

TEST_CASE("what is no base-36 number of ours is refused", "[ids]") {
    const auto* text = GENERATE("", "00", "01", "A", "-1", " 1", "1 ", "a_", "3w5e11264sgsg", "zzzzzzzzzzzzzz");
    INFO(text);
    CHECK(error_of(from_base36(text)).code == Errc::invalid);
}

TEST_CASE("an instance id is five characters, the first a letter", "[ids]") {
    CHECK(value_of(InstanceId::parse("k3f9a")).text() == "k3f9a");
    for (const auto* text : {"", "k3f9", "k3f9aa", "3kf9a", "K3f9a", "k3f-a", "k3f\n9"}) {
        INFO(text);
        CHECK(error_of(InstanceId::parse(text)).code == Errc::invalid);
    }
}

TEST_CASE("drawn instance ids are well formed and differ", "[ids]") {
    std::set<std::string> drawn;
    for (int i = 0; i < 200; ++i) {
        const auto text = InstanceId::generate().text();
        CHECK(InstanceId::parse(text).has_value());
        drawn.insert(text);
    }
    CHECK(drawn.size() > 190);  // of 43 million: two equal ones are rare, ten cannot be
}

TEST_CASE("random numbers stay below their bound and reach all of it", "[ids]") {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(random_below(7));
    CHECK(seen == std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6});
    CHECK(random_hex(8).size() == 16);
    CHECK(random_hex(8) != random_hex(8));
}
