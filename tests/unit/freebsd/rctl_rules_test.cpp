#include "core/kernel/freebsd/pure/rctl_rules.h"

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel::freebsd::rctl;
using model::LimitRule;

namespace {

LimitRule rule(std::string resource, std::string action, std::int64_t amount, std::string per = "jail") {
    return {.resource = std::move(resource),
            .limit = {.amount = amount, .action = std::move(action), .per = std::move(per)}};
}

using Rules = std::vector<LimitRule>;

}  // namespace

TEST_CASE("a rule is written as rctl_add_rule(2) takes it: whole, and without units", "[freebsd][rctl]") {
    CHECK(rule_text("web", rule("memoryuse", "deny", 536'870'912)) == "jail:web:memoryuse:deny=536870912/jail");
    CHECK(rule_text("web", rule("maxproc", "sigterm", 0, "user")) == "jail:web:maxproc:sigterm=0/user");
    CHECK(filter_text("web") == "jail:web");
    CHECK(filter_text("") == "jail:");
}

TEST_CASE("rules are read as rctl_get_rules(2) writes them", "[freebsd][rctl]") {
    CHECK(parse_rules("").empty());
    CHECK(parse_rules("jail:web:memoryuse:deny=536870912,jail:db:maxproc:log=9/process,jail:web:readbps:throttle=1") ==
          std::vector<JailRule>{{"web", rule("memoryuse", "deny", 536'870'912)},
                                {"db", rule("maxproc", "log", 9, "process")},
                                {"web", rule("readbps", "throttle", 1)}});
}

TEST_CASE("rules about others, and what is no rule, are left out", "[freebsd][rctl]") {
    CHECK(parse_rules("user:1001:maxproc:deny=9,loginclass:daemon:nthr:log=1/user,process:7:openfiles:deny=3").empty());
    for (const auto* text :
         {"jail", "jail:web", "jail:web:", "jail:web:maxproc", "jail:web:maxproc:deny",
          "jail:web:maxproc:deny=", "jail:web:maxproc:deny=x", "jail::maxproc:deny=1", ",", ":::=/"}) {
        INFO(text);
        CHECK(parse_rules(text).empty());
    }
}

TEST_CASE("what was written reads back", "[freebsd][rctl]") {
    for (const auto& one : {rule("memoryuse", "deny", INT64_MAX), rule("nthr", "devctl", 1, "loginclass")})
        CHECK(parse_rules(rule_text("a-b_C9", one)) == std::vector<JailRule>{{"a-b_C9", one}});
}

TEST_CASE("a change adds before it takes away, so that no limit is missing in between", "[freebsd][rctl]") {
    const Rules present{rule("maxproc", "log", 5), rule("memoryuse", "sigterm", 1), rule("nthr", "deny", 8)};
    const Rules wanted{rule("memoryuse", "sigterm", 2), rule("nthr", "deny", 8)};
    const auto difference = change(present, wanted);
    CHECK(difference.add == Rules{rule("memoryuse", "sigterm", 2)});
    CHECK(difference.remove == Rules{rule("maxproc", "log", 5), rule("memoryuse", "sigterm", 1)});
    CHECK(change(wanted, wanted).add.empty());
    CHECK(change(wanted, wanted).remove.empty());
}

TEST_CASE("the kernel itself takes away a denial that another replaces", "[freebsd][rctl]") {
    const auto difference =
        change({rule("memoryuse", "deny", 1), rule("memoryuse", "deny", 1, "process")}, {rule("memoryuse", "deny", 2)});
    CHECK(difference.add == Rules{rule("memoryuse", "deny", 2)});
    CHECK(difference.remove == Rules{rule("memoryuse", "deny", 1, "process")});
    CHECK(replaces(rule("maxproc", "deny", 1), rule("maxproc", "deny", 2)));
    CHECK_FALSE(replaces(rule("maxproc", "log", 1), rule("maxproc", "log", 2)));
    CHECK_FALSE(replaces(rule("maxproc", "deny", 1), rule("nthr", "deny", 1)));
}

TEST_CASE("what a jail uses of a resource is found by its whole name", "[freebsd][rctl]") {
    constexpr auto kUsage = "cputime=12,memoryuse=4096,nthr=3,openfiles=17,vmemoryuse=9";
    CHECK(usage_in(kUsage, "openfiles") == 17);
    CHECK(usage_in(kUsage, "memoryuse") == 4096);
    CHECK_FALSE(usage_in(kUsage, "files"));
    CHECK_FALSE(usage_in(kUsage, "maxproc"));
    for (const auto* none : {"", "openfiles", "openfiles=", "openfiles=x", "openfiles=1x", "openfiles=-1"}) {
        INFO(none);
        CHECK_FALSE(usage_in(none, "openfiles"));
    }
}

TEST_CASE("a rule that the kernel would not tell of has a companion that it tells of", "[freebsd][rctl]") {
    CHECK(companion_of(rule("memoryuse", "deny", 7, "user")) == rule("memoryuse", "devctl", 7, "user"));
    CHECK(companion_of(rule("cputime", "sigterm", 7)) == rule("cputime", "devctl", 7));
    CHECK(companion_of(rule("maxproc", "log", 7)) == rule("maxproc", "devctl", 7));
    CHECK(companion_of(rule("pcpu", "log", 7)) == rule("pcpu", "devctl", 7));
    CHECK(with_companions({rule("maxproc", "deny", 1), rule("nthr", "deny", 8)}) ==
          Rules{rule("maxproc", "deny", 1), rule("nthr", "deny", 8), rule("nthr", "devctl", 8)});
    // It tells by itself; it slows down; the kernel never tells.
    CHECK_FALSE(companion_of(rule("memoryuse", "devctl", 7)));
    CHECK_FALSE(companion_of(rule("readbps", "throttle", 7)));
    CHECK_FALSE(companion_of(rule("pcpu", "deny", 7)));
    CHECK_FALSE(companion_of(rule("maxproc", "deny", 7)));
    CHECK_FALSE(companion_of(rule("nsemop", "deny", 7)));
}

TEST_CASE("rules are shown as they were asked for, when their companions are there", "[freebsd][rctl]") {
    const Rules asked{rule("memoryuse", "deny", 5), rule("nthr", "devctl", 8), rule("pcpu", "deny", 50)};
    CHECK(without_companions(with_companions(asked), asked) == asked);

    const auto lacking = without_companions(asked, asked);
    CHECK(lacking == Rules{rule("nthr", "devctl", 8), rule("pcpu", "deny", 50)});
    CHECK(change(asked, with_companions(asked)).add == Rules{rule("memoryuse", "devctl", 5)});

    const Rules somebodys{rule("memoryuse", "deny", 5), rule("memoryuse", "devctl", 6)};
    CHECK(without_companions(somebodys, {}) == somebodys);
    const Rules alone{rule("memoryuse", "devctl", 5)};
    CHECK(without_companions(alone, asked) == alone);
    CHECK(without_companions({}, asked).empty());
}
