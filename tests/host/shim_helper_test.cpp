#include <signal.h>

#include <fstream>

#include "core/kernel/shim/protocol/state_file.h"
#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE_METHOD(ShimFixture, "a helper's exit code and output come back, bounded", "[shim][helper]") {
    value_of(processes->hold(id));
    const auto done = value_of(processes->run_helper(id, {"/bin/sh", "-c", "echo out; echo err >&2; exit 6"}, {}));
    CHECK(done.exit_code == 6);
    CHECK(done.output == "out\n");
    CHECK(done.error_output == "err\n");

    const auto much =
        value_of(processes->run_helper(id, {"head", "-c", "3000000", "/dev/zero"}, {.output_limit = 5000}));
    CHECK(much.exit_code == 0);
    CHECK(much.output.size() == 5000);
    const auto most = value_of(processes->run_helper(id, {"head", "-c", "3000000", "/dev/zero"}, {}));
    CHECK(most.output.size() == shim::kMaxHelperOutput);

    CHECK(error_of(processes->run_helper(id, {"/no/such/program"}, {})).detail.find("/no/such/program") !=
          std::string::npos);
}

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

    const auto parent_of = [](std::int64_t child) {
        std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
        std::string ignored;
        std::int64_t parent = 0;
        stat >> ignored >> ignored >> ignored >> parent;
        return parent;
    };
    CHECK(parent_of(pid) == observed().pid);

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

TEST_CASE_METHOD(ShimFixture, "the end of a command and of a shim are events, also for the next shim",
                 "[shim][watch]") {
    value_of(processes->hold(id));
    watch();
    REQUIRE(eventually([&] { return events == 1; }));  // connected

    const auto next = [&](const auto& act) {
        const int before = events;
        act();
        return eventually([&] { return events > before; });
    };
    const auto gate = (top / "gate").string();
    CHECK(
        next([&] { value_of(processes->start_command(id, sh("while ! [ -e " + gate + " ]; do sleep 0.02; done"))); }));
    CHECK(next([&] { std::ofstream(gate) << "open"; }));
    REQUIRE(eventually([&] { return exited(); }));
    CHECK(next([&] { ::kill(static_cast<pid_t>(observed().pid), SIGKILL); }));
    REQUIRE(eventually([&] { return !observed().alive; }));
    CHECK(next([&] { value_of(processes->hold(id)); }));
    CHECK(next([&] { value_of(processes->start_command(id, sh("true"))); }));
}
