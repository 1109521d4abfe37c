#include "core/reconcile/observe.h"
#include "tests/catch.h"

using namespace jaild;

namespace {

upgrade::MergeReport report_with(std::size_t conflicts) {
    upgrade::MergeReport report{.merged = 3, .conflicted = conflicts};
    for (std::size_t i = 0; i < conflicts; ++i)
        report.conflicts.push_back(
            {.path = "etc/" + std::to_string(i), .written = "etc/" + std::to_string(i) + ".new"});
    return report;
}

}  // namespace

TEST_CASE("an upgrade is told by its counts, and by so many conflicts as were asked for", "[upgrade]") {
    const auto all = reconcile::lines_of(report_with(3));
    REQUIRE(all.size() == 4);
    CHECK(all.front() == "merged: 0 updated, 3 merged, 0 added, 0 removed, 0 kept, 3 in conflict");
    CHECK(all.back().starts_with("conflict: /etc/2 ("));
    CHECK(all.back().ends_with("; the template's is /etc/2.new"));

    const auto some = reconcile::lines_of(report_with(100), 40);
    REQUIRE(some.size() == 42);
    CHECK(some.front().ends_with("100 in conflict"));
    CHECK(some[40].starts_with("conflict: /etc/39 "));
    CHECK(some.back() == "and 60 conflicts more; what the template has of them lies beside them, as *.new");
}
