#include "core/base/failpoint.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/reconcile/plan.h"
#include "tests/catch.h"

using namespace jaild;

namespace {

const std::vector<std::string_view> kKnown{"mount", "unmount"};

}  // namespace

TEST_CASE("a failpoint that there is not is refused, with those that there are", "[failpoint]") {
    for (const std::string text : {"", "mount", "before", "before:", "before:mounts", "at:mount",
                                   "before:mount:", "before:mount:0", "before:mount:-1", "before:mount:1x",
                                   "before:mount:1:2", "after:mount:99999999999", "before:mount ", "Before:mount"}) {
        INFO(text);
        const auto armed = failpoint::arm(text, kKnown);
        REQUIRE_FALSE(armed);
        CHECK(armed.error().reason == "unknown_failpoint");
        CHECK(armed.error().remedy.find("mount, unmount") != std::string::npos);
    }
    CHECK_FALSE(failpoint::detail::armed);
    failpoint::pass(failpoint::When::before, "mount");  // and nothing happens
}

TEST_CASE("each kind of step is a failpoint, and no two have one name", "[failpoint]") {
    const auto names = reconcile::failpoints();
    CHECK(std::set(names.begin(), names.end()).size() == names.size());
    for (const auto* name : {"settle", "stage_root", "create_jail", "forget", "remove_bridge"})
        CHECK(std::ranges::find(names, name) != names.end());
}
