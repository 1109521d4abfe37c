#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "core/base/pseudo_terminal.h"
#include "daemon/shim/child.h"
#include "tests/catch.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;
using shim::ControllingTerminal;

namespace {

const std::vector<std::string> kEnvironment{"PATH=/usr/bin:/bin"};

struct AtTerminal {
    int status = 0;
    std::optional<shim::Failure> failure;
    std::string said;  ///< at its terminal
};

/// A child with a terminal as 0, 1 and 2, to its end.
AtTerminal run_on_terminal(const std::string& script, ControllingTerminal controlling) {
    auto terminal = value_of(PseudoTerminal::open({.rows = 30, .columns = 100}));
    const std::vector<std::string> argv{"/bin/sh", "-c", script};
    const int fd = terminal.slave.get();
    const auto child = value_of(shim::fork_child(
        {.argv = argv, .environment = kEnvironment, .descriptors = {fd, fd, fd}, .terminal = controlling}));
    terminal.slave.reset();
    AtTerminal ended;
    ended.said = read_all(terminal.master.get());
    REQUIRE(::waitpid(child.pid, &ended.status, 0) == child.pid);
    ended.failure = shim::read_failure(child.failure);
    return ended;
}

}  // namespace

TEST_CASE("a shim's child has its input as controlling terminal if that is asked for", "[shim][terminal]") {
    const auto with = run_on_terminal("stty size < /dev/tty; set -m; echo $-", ControllingTerminal::input);
    CHECK_FALSE(with.failure);
    CHECK(with.said.starts_with("30 100\r\n"));
    CHECK(with.said.find("tty;") == std::string::npos);  // "can't access tty; job control turned off"
    CHECK(with.status == 0);

    const auto without = run_on_terminal("test -t 0 && ! (: < /dev/tty) 2> /dev/null", ControllingTerminal::none);
    CHECK_FALSE(without.failure);
    CHECK(without.status == 0);
}

TEST_CASE("a shim's child whose input is no terminal does not run without one", "[shim][terminal]") {
    const std::vector<std::string> argv{"/bin/sh", "-c", "true"};
    const auto child = value_of(shim::fork_child({.argv = argv,
                                                  .environment = kEnvironment,
                                                  .descriptors = {-1, -1, -1},
                                                  .terminal = ControllingTerminal::input}));
    pollfd one{.fd = child.failure.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&one, 1, 10'000) == 1);
    const auto failure = shim::read_failure(child.failure);
    REQUIRE(::waitpid(child.pid, nullptr, 0) == child.pid);
    REQUIRE(failure);
    CHECK(failure->stage == shim::Stage::terminal);
    CHECK(failure->code == ENOTTY);
}
