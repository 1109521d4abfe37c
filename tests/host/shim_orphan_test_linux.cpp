#include <signal.h>

#include "core/kernel/shim/protocol/state_file.h"
#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/processes.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;
using std::chrono::milliseconds;

TEST_CASE_METHOD(ShimFixture, "a helper that takes too long is killed with all that it started", "[shim][helper]") {
    value_of(processes->hold(id));
    const auto script = "setsid sleep 1000 & echo $! >" + top.string() + "/child; wait";
    const auto late = error_of(processes->run_helper(id, {"/bin/sh", "-c", script}, {.timeout = milliseconds(300)}));
    CHECK(late.code == Errc::busy);
    CHECK(eventually([&] { return number_in("child") != 0 && !process_exists(number_in("child")); }));
}

TEST_CASE_METHOD(ShimFixture, "what a helper leaves behind becomes the shim's, and its end is an event",
                 "[shim][helper]") {
    watch();
    value_of(processes->hold(id));
    const auto pid_file = top / "first";
    const auto script = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >" + pid_file.string();
    value_of(processes->run_helper(id, {"/bin/sh", "-c", script}, {.pid_file = pid_file}));
    const auto pid = number_in("first");
    REQUIRE(process_exists(pid));

    CHECK(parent_of(static_cast<pid_t>(pid)) == observed().pid);

    SECTION("while its shim lives") {
        REQUIRE(eventually([&] { return events > 0; }));
    }
    SECTION("and after its shim was killed") {
        REQUIRE(::kill(static_cast<pid_t>(observed().pid), SIGKILL) == 0);
        REQUIRE(eventually([&] { return !observed().alive; }));
        value_of(processes->hold(id));
        CHECK(process_exists(pid));
        REQUIRE(eventually([&] { return events > 1; }));
    }
    const int before = events;
    REQUIRE(::kill(static_cast<pid_t>(pid), SIGKILL) == 0);
    CHECK(eventually([&] { return events > before; }));
    const auto directory = open_directory();
    CHECK(eventually([&] { return value_of(shim::read_state(directory.get())).jail_pid == 0; }));
}
