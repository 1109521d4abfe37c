#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "core/kernel/names.h"
#include "tests/unit/kernel/machine.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel_test;
using jaild::kernel::memory::Crash;
using jaild::kernel::memory::Remains;
using jaild::kernel::memory::When;
using jaild::test::error_of;
using jaild::test::value_of;

namespace {

struct Run {
    ProgramExit exit;
    std::string output;
};

/// A program in the jail with `input`, to its end.
Run run(Machine& machine, std::vector<std::string> argv, std::string_view input = {}) {
    auto in = value_of(Pipe::create());
    auto out = value_of(Pipe::create());
    REQUIRE(::write(in.write.get(), input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    in.write.reset();
    auto running = value_of(machine.kernel.processes().exec(
        kWeb, {.argv = std::move(argv), .environment = {}},
        {.input = std::move(in.read), .output = std::move(out.write), .error_output = UniqueFd()}));
    Run result{.exit = value_of(running->wait()), .output = {}};
    std::array<char, 256> buffer{};
    for (ssize_t got = 0; (got = ::read(out.read.get(), buffer.data(), buffer.size())) > 0;) {
        result.output.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return result;
}

}  // namespace

TEST_CASE("a jail that is made and removed leaves only its directory", "[memory]") {
    Machine machine;
    machine.start();
    const auto listed = value_of(machine.kernel.jails().list(kWeb));
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].alive);
    CHECK(listed[0].hostname == "web");
    const auto links = value_of(machine.kernel.links().list(kWeb));
    REQUIRE(links.size() == 1);
    CHECK(links[0].up);
    CHECK(links[0].gateways.size() == 1);
    CHECK(value_of(machine.kernel.links().bridges()).at(0).members == 1);

    machine.stop();
    value_of(machine.kernel.links().remove_bridge(NetworkId{1}));
    value_of(machine.kernel.roots().remove(kWeb));
    CHECK(machine.kernel.describe() == Machine().kernel.describe());
    CHECK(machine.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("every call can be repeated and changes nothing more", "[memory]") {
    Machine machine;
    machine.start();
    const auto before = machine.kernel.describe();
    value_of(machine.kernel.processes().hold(kWeb));
    value_of(machine.create());
    value_of(machine.kernel.links().ensure_bridge(default_network()));
    value_of(machine.kernel.links().ensure(machine.link()));
    CHECK(machine.kernel.describe() == before);
}

TEST_CASE("a jail is not created before its root is mounted and held, and trying is noticed", "[memory]") {
    Machine machine;
    CHECK(error_of(machine.create()).sys == ENOENT);
    CHECK(machine.violated("without a prepared root"));

    Machine other;
    other.prepare();
    value_of(other.kernel.mounts().unmount(kWeb, "root/usr"));
    CHECK(error_of(other.create()).sys == ENOENT);
    CHECK(other.violated("before root/usr is mounted"));
}

TEST_CASE("a name that somebody else's jail has is refused", "[memory]") {
    Machine machine;
    machine.name = value_of(model::Name::parse("mail"));
    CHECK(error_of(machine.kernel.jails().check_name(machine.name, kWeb)).reason == "name_in_use");
    machine.prepare();
    CHECK(error_of(machine.create()).reason == "name_in_use");
}

TEST_CASE("a removed jail may linger, with its interfaces and its root", "[memory]") {
    Machine machine;
    machine.root = {.kind = model::RootKind::path, .path = "/srv/web"};
    machine.start();
    machine.kernel.set_nature({.seed = 1, .linger = 1, .linger_rounds = 2});
    REQUIRE(machine.kernel.hand().kill_jail(kWeb, Remains::dying));

    const auto first = value_of(machine.kernel.jails().list(kWeb));
    REQUIRE(first.size() == 1);
    CHECK(first[0].dying);
    CHECK(value_of(machine.kernel.links().list(kWeb)).at(0).host_end);
    CHECK(error_of(machine.kernel.links().destroy({kWeb})).sys == EBUSY);
    value_of(machine.kernel.mounts().unmount(kWeb, "root/dev"));
    CHECK(error_of(machine.kernel.mounts().unmount(kWeb, "root")).sys == EBUSY);

    CHECK(value_of(machine.kernel.jails().list(kWeb)).empty());
    CHECK(value_of(machine.kernel.links().list(kWeb)).empty());
    value_of(machine.kernel.mounts().unmount(kWeb, "root"));
}

TEST_CASE("mounts stack, and stay while something stands on them", "[memory]") {
    Machine machine;
    machine.start();
    CHECK(error_of(machine.kernel.mounts().unmount(kWeb, "root/usr")).sys == EBUSY);
    REQUIRE(machine.kernel.hand().mount_extra(kWeb, "root/usr"));
    value_of(machine.kernel.mounts().unmount(kWeb, "root/usr"));  // that one is not in use
    CHECK(error_of(machine.kernel.mounts().unmount(kWeb, "root/usr")).sys == EBUSY);
}

TEST_CASE("deleting a root beneath a mount is refused and never forgotten", "[memory]") {
    Machine machine;
    machine.prepare();
    value_of(machine.kernel.processes().release(kWeb));
    CHECK(error_of(machine.kernel.roots().remove(kWeb)).sys == EBUSY);
    CHECK(machine.violated("beneath a mount"));
}

TEST_CASE("a bridge with members is not removed, and one half made is found after a crash", "[memory]") {
    Machine machine;
    machine.start();
    CHECK(error_of(machine.kernel.links().remove_bridge(NetworkId{1})).sys == EBUSY);

    // It is in the list once it has its name.
    for (std::size_t point = 1; point <= 6; ++point) {
        Machine other;
        other.kernel.faults().crash(point, When::after);
        CHECK_THROWS_AS(other.kernel.links().ensure_bridge(default_network()), Crash);
        CHECK(value_of(other.kernel.links().bridges()).size() == (point >= 3 ? 1 : 0));
        value_of(other.kernel.links().remove_bridge(NetworkId{1}));
        CHECK(other.kernel.state().bridges.empty());
    }
}

TEST_CASE("a link survives a crash at any of its steps, and nothing unmarked reaches the host", "[memory]") {
    Machine reference;
    reference.start();
    Machine counted;
    counted.prepare();
    value_of(counted.kernel.links().ensure_bridge(default_network()));
    value_of(counted.create());
    counted.kernel.faults().clear();
    value_of(counted.kernel.links().ensure(counted.link()));
    const auto points = counted.kernel.faults().passed();
    REQUIRE(points > 5);

    for (std::size_t point = 1; point <= points; ++point) {
        INFO("crash after point " << point);
        Machine machine;
        machine.prepare();
        value_of(machine.kernel.links().ensure_bridge(default_network()));
        value_of(machine.create());
        machine.kernel.faults().clear();
        machine.kernel.faults().crash(point, When::after);
        CHECK_THROWS_AS(machine.kernel.links().ensure(machine.link()), Crash);
        value_of(machine.kernel.links().ensure(machine.link()));
        CHECK(machine.kernel.describe() == reference.kernel.describe());
        CHECK(machine.kernel.violations() == std::vector<std::string>{});
    }
}

TEST_CASE("the largest id still makes an interface name that the kernel takes", "[memory]") {
    Machine machine;
    constexpr JailId largest{2'821'109'907'455};  // 36^8 - 1
    machine.prepare(largest);
    value_of(machine.kernel.links().ensure_bridge(default_network()));
    value_of(machine.create(largest));
    value_of(machine.kernel.links().ensure(machine.link(largest)));
    CHECK(machine.kernel.state().pairs.at(0).host_name.size() == kMaxInterfaceName);
}

TEST_CASE("an address in two jails is noticed", "[memory]") {
    Machine machine;
    machine.start();
    machine.name = value_of(model::Name::parse("db"));
    machine.prepare(JailId{2});
    value_of(machine.create(JailId{2}));
    value_of(machine.kernel.links().ensure(machine.link(JailId{2})));
    CHECK(machine.violated("both have 10.213.0.2"));
}

TEST_CASE("a default route goes with the address that it needs", "[memory]") {
    Machine machine;
    machine.start();
    auto moved = machine.link();
    moved.gateways = {value_of(IpAddress::parse("192.0.2.1"))};
    CHECK(error_of(machine.kernel.links().ensure(moved)).sys == ENETUNREACH);
}

TEST_CASE("faults strike at the numbered point and at no other", "[memory]") {
    Machine machine;
    machine.kernel.faults().fail(2, EIO);
    value_of(machine.kernel.jails().list({}));
    const auto struck = error_of(machine.kernel.mounts().list({}));
    CHECK(struck.sys == EIO);
    CHECK(struck.op == "mounts.list");
    value_of(machine.kernel.links().list({}));
    CHECK(machine.kernel.faults().passed() == 3);
}

TEST_CASE("an error can hide that a step happened", "[memory]") {
    Machine machine;
    machine.kernel.faults().fail(1, ENOSPC, When::after);
    CHECK(error_of(machine.kernel.firewall().apply(default_network())).code == Errc::exhausted);
    CHECK(value_of(machine.kernel.firewall().list({default_network()})).at(0).complete);
}

TEST_CASE("the same seed strikes at the same points", "[memory]") {
    const auto struck = [](std::uint64_t seed) {
        Machine machine;
        machine.kernel.faults().random(seed, {.fail = 0.3, .fail_after = 0, .crash = 0});
        std::string text;
        for (int i = 0; i < 64; ++i) text += machine.kernel.jails().list({}) ? '.' : 'x';
        return text;
    };
    CHECK(struck(7) == struck(7));
    CHECK(struck(7) != struck(8));
}

TEST_CASE("a command runs until it is stopped, and is not run twice", "[memory]") {
    Machine machine;
    machine.start();
    auto& processes = machine.kernel.processes();
    value_of(processes.start_command(kWeb, {.argv = {"sleep", "9"}, .environment = {}}));
    CHECK(value_of(processes.list(kWeb)).at(0).command == CommandState::running);
    value_of(processes.stop_command(kWeb, Milliseconds(1)));
    const auto stopped = value_of(processes.list(kWeb)).at(0);
    CHECK(stopped.command == CommandState::exited);
    CHECK(stopped.last_exit->signal == SIGTERM);
    value_of(processes.start_command(kWeb, {.argv = {"sleep", "9"}, .environment = {}}));
    CHECK(machine.violated("started again"));
}

TEST_CASE("a command whose shim was killed is recorded as lost", "[memory]") {
    Machine machine;
    machine.start();
    auto& processes = machine.kernel.processes();
    value_of(processes.start_command(kWeb, {.argv = {"sleep", "9"}, .environment = {}}));
    REQUIRE(machine.kernel.hand().kill_shim(kWeb));
    CHECK_FALSE(value_of(processes.list(kWeb)).at(0).alive);
    value_of(processes.hold(kWeb));
    CHECK(value_of(processes.list(kWeb)).at(0).last_exit->reason == "lost");
}

TEST_CASE("a command that cannot be executed is recorded as such", "[memory]") {
    Machine machine;
    machine.start();
    auto& processes = machine.kernel.processes();
    CHECK(error_of(processes.start_command(kWeb, {.argv = {"missing"}, .environment = {}})).reason == "command_failed");
    CHECK(value_of(processes.list(kWeb)).at(0).last_exit->reason == "failed_to_start");
}

TEST_CASE("nothing of a user's runs before his network is there", "[memory]") {
    Machine machine;
    machine.prepare();
    value_of(machine.create());
    value_of(machine.kernel.processes().run(kWeb, {.argv = {"true"}, .environment = {}}, Milliseconds(1), true));
    CHECK(machine.violated("before its network is configured"));
}

TEST_CASE("exec plays a few programs", "[memory][exec]") {
    Machine machine;
    machine.start();
    CHECK(run(machine, {"echo", "hello", "world"}).output == "hello world\n");
    CHECK(run(machine, {"/bin/cat"}, "some\ninput").output == "some\ninput");
    CHECK(run(machine, {"exit", "7"}).exit.exit_code == 7);
    auto refused = machine.kernel.processes().exec(kWeb, {.argv = {"nonesuch"}, .environment = {}}, {});
    CHECK(error_of(std::move(refused)).reason == "program_not_found");
}

TEST_CASE("a program has a terminal of the size that was asked for, or none", "[memory][exec][terminal]") {
    Machine machine;
    machine.start();
    kernel::Program program{.argv = {"stty"}, .environment = {}};
    CHECK(run(machine, program.argv).exit.exit_code == 1);
    program.terminal = TerminalSize{.rows = 33, .columns = 101};
    auto running = value_of(machine.kernel.processes().exec(kWeb, program, {}));
    const auto terminal = running->take_terminal();
    std::array<char, 64> buffer{};
    REQUIRE(::read(terminal.get(), buffer.data(), buffer.size()) == 8);
    CHECK(std::string_view(buffer.data(), 8) == "33 101\r\n");
    CHECK(value_of(running->wait()).exit_code == 0);
    CHECK(::read(terminal.get(), buffer.data(), buffer.size()) <= 0);  // nobody has its other end
    CHECK_FALSE(running->take_terminal());
}

TEST_CASE("a program is killed with a signal, and with its handle", "[memory][exec]") {
    Machine machine;
    machine.start();
    auto sleeping = value_of(machine.kernel.processes().exec(kWeb, {.argv = {"sleep", "1000"}, .environment = {}}, {}));
    value_of(sleeping->kill(SIGTERM));
    const auto ended = value_of(sleeping->wait());
    CHECK(ended.signal == SIGTERM);
    CHECK(ended.exit_code == 128 + SIGTERM);
    auto abandoned = value_of(
        machine.kernel.processes().exec(kWeb, {.argv = {"cat"}, .environment = {}},
                                        {.input = value_of(Pipe::create()).read, .output = {}, .error_output = {}}));
    abandoned.reset();  // returns: the program does not outlive it
}

TEST_CASE("the log is what commands wrote", "[memory][exec]") {
    Machine machine;
    machine.start();
    value_of(machine.kernel.processes().start_command(kWeb, {.argv = {"echo", "line"}, .environment = {}}));
    const auto log = value_of(machine.kernel.processes().open_log(kWeb));
    std::array<char, 64> buffer{};
    REQUIRE(::read(log.get(), buffer.data(), buffer.size()) == 5);
    CHECK(std::string_view(buffer.data(), 5) == "line\n");
}

TEST_CASE("a watcher hears of a jail that dies", "[memory]") {
    auto pipe = value_of(Pipe::create());
    Machine machine;
    machine.kernel.watch([fd = pipe.write.get()](JailId id) {
        const auto byte = static_cast<char>(id.value);
        (void)!::write(fd, &byte, 1);
    });
    machine.start();
    REQUIRE(machine.kernel.hand().kill_jail(kWeb, Remains::nothing));
    pollfd heard{.fd = pipe.read.get(), .events = POLLIN, .revents = 0};
    CHECK(::poll(&heard, 1, 10'000) == 1);
}

TEST_CASE("several threads can work on jails of their own", "[memory]") {
    Machine machine;
    value_of(machine.kernel.links().ensure_bridge(default_network()));
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (std::int64_t id = 1; id <= 4; ++id) {
        threads.emplace_back([&, jail = JailId{id}] {
            const auto name = model::Name::parse("jail" + std::to_string(jail.value));
            const auto parameters = machine.root_parameters(jail);
            auto link = machine.link(jail);
            link.addresses = {*Prefix::parse("10.213.0." + std::to_string(jail.value + 1) + "/24")};
            bool well = machine.kernel.roots().prepare(parameters).has_value();
            const auto mounts = machine.kernel.roots().mounts(parameters);
            for (const auto& mount : *mounts) {
                well &= machine.kernel.mounts().mount(jail, mount).has_value();
            }
            well &= machine.kernel.processes().hold(jail).has_value();
            well &= machine.kernel.jails().create({jail, *name, "host", machine.mode}).has_value();
            well &= machine.kernel.links().ensure(link).has_value();
            well &= machine.kernel.links().list({}).has_value();
            if (!well) ++failures;
        });
    }
    for (auto& one : threads) one.join();
    CHECK(failures == 0);
    CHECK(value_of(machine.kernel.links().bridges()).at(0).members == 4);
    CHECK(machine.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("roots that no host has are refused with their field", "[memory]") {
    Machine machine;
    auto& roots = machine.kernel.roots();
    const auto path = [](const char* text) { return model::RootSpec{.kind = model::RootKind::path, .path = text}; };
    CHECK(error_of(roots.check(path("/"), "")).field == "/root/path");
    CHECK(error_of(roots.check(path("/var/db"), "")).field == "/root/path");
    CHECK(error_of(roots.check(path("/var/db/jaild"), "")).field == "/root/path");
    CHECK(error_of(roots.check(path("/var/db/jaild/jails/1/root"), "")).field == "/root/path");
    CHECK(error_of(roots.check(path("/missing/dir"), "")).field == "/root/path");
    value_of(roots.check(path("/srv/web"), ""));
}

TEST_CASE("a root is made from a template that is there, once", "[memory]") {
    Machine machine;
    machine.root.kind = GENERATE(model::RootKind::thin, model::RootKind::copy);
    auto& roots = machine.kernel.roots();
    auto parameters = machine.root_parameters();
    parameters.template_name = "base:1";
    CHECK(error_of(roots.prepare(parameters)).name() == "template_missing");
    CHECK(machine.kernel.violations().size() == 1);  // it should have been resolved

    parameters.base = model::JailBase{.id = TemplateId{1}, .private_parts = {}};
    machine.kernel.hand().lose_template(TemplateId{1});
    CHECK(error_of(roots.prepare(parameters)).name() == "template_missing");
    CHECK_FALSE(value_of(roots.prepared(kWeb)));
    machine.kernel.hand().find_template(TemplateId{1});
    value_of(roots.prepare(parameters));
    CHECK(value_of(roots.prepared(kWeb)));
    const bool thin = machine.root.kind == model::RootKind::thin;
    CHECK(value_of(roots.mounts(parameters)).size() == (thin ? 3U : 2U));

    // Who has a copy of everything needs no template any more.
    machine.kernel.hand().lose_template(TemplateId{1});
    CHECK(roots.mounts(parameters).has_value() == !thin);
}

TEST_CASE("a root that was half copied is copied anew", "[memory]") {
    Machine machine;
    machine.root.kind = model::RootKind::copy;
    auto parameters = machine.root_parameters();
    parameters.template_name = "base:1";
    parameters.base = model::JailBase{.id = TemplateId{1}, .private_parts = {}};
    machine.kernel.faults().always("roots.prepare.copy", ENOSPC);
    CHECK(error_of(machine.kernel.roots().prepare(parameters)).code == Errc::exhausted);
    machine.kernel.faults().clear();
    CHECK_FALSE(value_of(machine.kernel.roots().prepared(kWeb)));
    value_of(machine.kernel.roots().prepare(parameters));
    CHECK(machine.kernel.state().directories.at(kWeb).etc);
}
