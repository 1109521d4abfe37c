#include "core/reconcile/sweep.h"
#include "tests/catch.h"

using namespace jaild;
using reconcile::pause_after;

TEST_CASE("a resync that takes long comes less often, within a bound", "[reconcile][resync]") {
    const auto pause = [](std::int64_t took) {
        return pause_after(Milliseconds{took}, Milliseconds{5'000}, Milliseconds{30'000}).count();
    };
    CHECK(pause(0) == 5'000);
    CHECK(pause(263) == 5'000);
    CHECK(pause(1'000) == 19'000);  // one part in twenty
    CHECK(pause(60'000) == 30'000);
    CHECK(pause_after(Milliseconds{5}, Milliseconds{20}, Milliseconds{20}).count() == 20);
}
