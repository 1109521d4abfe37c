#include "core/model/kill_request.h"

#include <nlohmann/json.hpp>

#include "tests/catch.h"

using namespace jaild::model;
using nlohmann::json;

TEST_CASE("a signal has the name that kill(1) knows, with or without SIG", "[model][kill]") {
    CHECK(signal_number("TERM") == SIGTERM);
    CHECK(signal_number("SIGKILL") == SIGKILL);
    CHECK(signal_number("USR1") == SIGUSR1);
    for (const char* none : {"", "SIG", "term", "15", "SIGSIGTERM", "TERM "}) {
        INFO(none);
        CHECK_FALSE(signal_number(none));
    }
}

TEST_CASE("without a word of it a kill is SIGTERM to all", "[model][kill]") {
    const auto all = KillRequest::parse(json::object());
    REQUIRE(all);
    CHECK(all->signal == SIGTERM);
    CHECK(all->pids.empty());
    const auto some = KillRequest::parse({{"signal", "HUP"}, {"pids", {4711, 2147483647}}});
    REQUIRE(some);
    CHECK(some->signal == SIGHUP);
    CHECK(some->pids == std::vector<std::int64_t>{4711, 2147483647});
}

TEST_CASE("a number that means everybody, or a list that came out empty, is refused", "[model][kill]") {
    for (const char* text : {R"({"pids":[0]})", R"({"pids":[-1]})", R"({"pids":[]})", R"({"pids":[1,-7]})",
                             R"({"pids":[2147483648]})", R"({"pids":[18446744073709551615]})", R"({"pids":null})"}) {
        INFO(text);
        CHECK_FALSE(KillRequest::parse(json::parse(text)));
    }
}
