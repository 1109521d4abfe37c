#include "core/kernel/freebsd/pure/patch_floor.h"
#include "core/kernel/freebsd/pure/rc_conf.h"
#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;
using jaild::model::CheckState;

TEST_CASE("a release is read as uname(3) writes it", "[freebsd]") {
    CHECK(parse_release("14.4-RELEASE-p10") == Release{14, 4, "RELEASE", 10});
    CHECK(parse_release("15.0-RELEASE") == Release{15, 0, "RELEASE", 0});
    CHECK(parse_release("15.1-STABLE") == Release{15, 1, "STABLE", 0});
    const auto* text = GENERATE("", "14", "14.", "14.4", "14.4-", "14-RELEASE", "14.4-RELEASE-10", "14.4-RELEASE-p",
                                "14.4-RELEASE-p1x", "6.1.0-generic");
    CAPTURE(text);
    CHECK_FALSE(parse_release(text));
}

TEST_CASE("doctor tells which patch level lets no jail's root out", "[freebsd]") {
    CHECK(check_patch_floor("14.4-RELEASE-p10").state == CheckState::ok);
    CHECK(check_patch_floor("14.4-RELEASE-p9").state == CheckState::problem);
    CHECK(check_patch_floor("14.5-RELEASE").state == CheckState::problem);
    CHECK(check_patch_floor("15.0-RELEASE-p14").state == CheckState::ok);
    CHECK(check_patch_floor("15.1-RELEASE-p3").state == CheckState::problem);
    CHECK(check_patch_floor("15.2-RELEASE").state == CheckState::ok);
    CHECK(check_patch_floor("16.0-RELEASE").state == CheckState::ok);
    CHECK(check_patch_floor("14.0-RELEASE-p5").state == CheckState::problem);
    CHECK(check_patch_floor("13.5-RELEASE-p9").state == CheckState::problem);
    CHECK(check_patch_floor("14.5-STABLE").state == CheckState::warning);
    CHECK(check_patch_floor("nonsense").state == CheckState::warning);
}

TEST_CASE("the last plain assignment of rc.conf(5) counts", "[freebsd]") {
    CHECK(rc_value("ifconfig_DEFAULT=\"SYNCDHCP\"\n", "ifconfig_DEFAULT") == "SYNCDHCP");
    CHECK(rc_value("a=1\na='two words' # why\n", "a") == "two words");
    CHECK(rc_value("a=1;b=2", "a") == "1");
    CHECK(rc_value("  a=1 # why", "a") == "1");
    CHECK(rc_value("#a=1\nab=2\n", "a").empty());
    CHECK(rc_value("a=\"", "a").empty());
    CHECK(rc_value("a=", "a").empty());
}
