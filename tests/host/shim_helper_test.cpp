#include <signal.h>

#include <fstream>

#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;

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
