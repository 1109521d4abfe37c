#include <algorithm>

#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

Desired with_quota(std::uint64_t quota) {
    auto desired = wanted_web();
    desired.jail.spec.root.storage.quota = Bytes{quota};
    return desired;
}

/// What is to be done to a jail that runs, when its root has `found`.
bool sets_storage(const Desired& desired, const std::optional<kernel::ObservedStorage>& found) {
    Toy toy;
    toy.converge(wanted_web());
    toy.observed.storage = found;
    const auto steps = plan(desired, toy.observed);
    return std::ranges::any_of(steps, [](const Step& step) { return step.to_string() == "set_storage web"; });
}

constexpr std::uint64_t kMore = std::uint64_t{2} << 20;

}  // namespace

TEST_CASE("a running jail's root gets the quota that its spec says", "[plan][storage]") {
    const kernel::ObservedStorage none{.id = {}, .known = true, .storage = {}};
    CHECK(sets_storage(with_quota(kMore), none));
    CHECK_FALSE(sets_storage(wanted_web(), none));
    SECTION("and what somebody set otherwise is set again") {
        kernel::ObservedStorage found = none;
        found.storage.quota = Bytes{1};
        CHECK(sets_storage(with_quota(kMore), found));
        CHECK(sets_storage(wanted_web(), found));
        found.storage.quota = Bytes{kMore};
        CHECK_FALSE(sets_storage(with_quota(kMore), found));
    }
}

TEST_CASE("nothing is set of storage that nobody knows", "[plan][storage]") {
    CHECK_FALSE(sets_storage(with_quota(kMore), std::nullopt));
    CHECK_FALSE(sets_storage(with_quota(kMore), kernel::ObservedStorage{}));
}

TEST_CASE("a root that is made already has its quota before the jail starts", "[plan][storage]") {
    Toy toy;
    toy.observed.directory = true;
    toy.observed.prepared = true;
    toy.observed.storage = kernel::ObservedStorage{.id = {}, .known = true, .storage = {}};
    const auto steps = plan(with_quota(kMore), toy.observed);
    const auto place = [&](StepKind kind) { return std::ranges::find(steps, kind, &Step::kind) - steps.begin(); };
    CHECK(place(StepKind::set_storage) < place(StepKind::refresh_root));
    toy.observed.prepared = false;
    const auto fresh = plan(with_quota(kMore), toy.observed);
    CHECK(std::ranges::find(fresh, StepKind::set_storage, &Step::kind) == fresh.end());
}
