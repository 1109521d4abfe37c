#include "core/kernel/freebsd/pure/device_rules.h"

#include <set>

#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "tests/catch.h"

using namespace jaild::kernel::freebsd;

TEST_CASE("a ruleset's number is made of what it shows", "[freebsd][devices]") {
    const int number = device_ruleset(5, {"fuse", "tun*"}, 0);
    CHECK(number == device_ruleset(5, {"fuse", "tun*"}, 0));
    CHECK(number != device_ruleset(4, {"fuse", "tun*"}, 0));
    CHECK(number != device_ruleset(5, {"fusetun*"}, 0));
    CHECK(number != device_ruleset(5, {"fuse"}, 0));
}

TEST_CASE("another place is tried after it, within the numbers that are ours", "[freebsd][devices]") {
    std::set<int> tried;
    for (int attempt = 0; attempt < kDeviceRulesetCount; ++attempt) {
        const int number = device_ruleset(5, {"fuse"}, attempt);
        CHECK((number >= kDeviceRulesets && number < kDeviceRulesets + kDeviceRulesetCount && number <= 65'535));
        tried.insert(number);
    }
    CHECK(tried.size() == static_cast<std::size_t>(kDeviceRulesetCount));
    CHECK_FALSE(tried.contains(kRulesetWithBpf));
}
