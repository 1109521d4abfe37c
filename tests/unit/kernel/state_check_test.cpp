#include "core/kernel/state_check.h"

#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/temp_directory.h"

using namespace jaild;
using jaild::model::CheckState;

TEST_CASE("doctor tells who gets into the state directory", "[kernel]") {
    const auto judged = [](uid_t owner, mode_t mode) {
        return kernel::judge_state_directory("/var/db/jaild", owner, S_IFDIR | mode);
    };
    CHECK(judged(0, 0700).state == CheckState::ok);
    CHECK(judged(0, 0500).state == CheckState::ok);
    CHECK(judged(0, 0711).state == CheckState::warning);
    CHECK(judged(0, 0750).state == CheckState::warning);
    CHECK(judged(0, 0720).state == CheckState::problem);
    CHECK(judged(0, 0702).state == CheckState::problem);
    CHECK(judged(1001, 0700).state == CheckState::problem);
    CHECK(judged(0, 0755).remedy == "chown 0:0 /var/db/jaild && chmod 700 /var/db/jaild");
    CHECK(judged(0, 0700).remedy.empty());
}

TEST_CASE("doctor looks at the state directory as it is now", "[kernel]") {
    const test::TempDirectory scratch;
    REQUIRE(::chmod(scratch.path().c_str(), 0777) == 0);
    CHECK(kernel::check_state_directory(scratch.path()).state == CheckState::problem);
    const auto gone = kernel::check_state_directory(scratch.path() / "gone");
    CHECK(gone.state == CheckState::problem);
    CHECK(gone.detail.contains("No such file"));
    CHECK_FALSE(gone.remedy.empty());
}
