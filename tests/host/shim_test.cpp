#include <signal.h>
#ifdef __linux__
#include <sys/mount.h>
#endif
#include <unistd.h>

#include <fstream>
#include <set>
#include <thread>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "core/kernel/shim/protocol/log_format.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "core/kernel/shim/protocol/state_file.h"
#include "tests/catch.h"
#include "tests/few_descriptors.h"
#include "tests/host/eventually.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;
using kernel::CommandState;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

pid_t pid_of(std::int64_t pid) {
    return static_cast<pid_t>(pid);
}

std::string file_text(const std::filesystem::path& path) {
    return value_of(files::read(path, 4096));
}

}  // namespace

TEST_CASE_METHOD(ShimFixture, "a shim holds its jail until it is released", "[shim]") {
    value_of(processes->hold(id));
    const auto first = observed();
    CHECK(first.alive);
    CHECK(process_exists(first.pid));

    value_of(processes->hold(id));
    CHECK(observed().pid == first.pid);

    value_of(processes->release(id));
    CHECK_FALSE(observed().alive);
    CHECK(eventually([&] { return !process_exists(first.pid); }));
    value_of(processes->release(id));
}

TEST_CASE_METHOD(ShimFixture, "a second shim is refused while one holds the jail", "[shim]") {
    value_of(processes->hold(id));
    const auto directory = open_directory();
    const auto error = error_of(shim::take_lock(directory.get()));
    CHECK(error.reason == "held");
    CHECK(value_of(shim::holder_of(directory.get()))->pid == observed().pid);
}

TEST_CASE_METHOD(ShimFixture, "without descriptors a living shim is neither seen dead nor replaced nor given up",
                 "[shim][descriptors]") {
    value_of(processes->hold(id));
    const auto pid = observed().pid;
    std::size_t failed = 0;
    for (unsigned left = 0; left < 16; ++left) {
        Result<std::vector<kernel::ObservedShim>> listed;
        Result<void> held;
        Result<void> released;
        {
            const FewDescriptors few(left);
            listed = processes->list(id);
            held = processes->hold(id);
            released = processes->release(id);
        }
        INFO(left << " descriptors left");
        if (listed) CHECK(listed->front().pid == pid);
        if (!listed || !held || !released) ++failed;
        CHECK(process_exists(pid) == !released);
        if (released) break;
        CHECK(observed().pid == pid);
    }
    CHECK(failed > 0);
    CHECK_FALSE(observed().alive);
}

TEST_CASE_METHOD(ShimFixture, "a shim outlives the signals of its daemon's terminal, and is small", "[shim]") {
    value_of(processes->hold(id));
    const auto pid = pid_of(observed().pid);
    CHECK(::getsid(pid) == pid);
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE}) REQUIRE(::kill(pid, number) == 0);
    CHECK(exec_to_end(sh("head -c 1000000 /dev/zero")).output.size() == 1'000'000);
#ifdef __linux__
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::string word;
    long kilobytes = 0;
    while (status >> word)
        if (word == "VmRSS:") status >> kilobytes;
    INFO("VmRSS " << kilobytes << " kB");
    CHECK(kilobytes > 0);
    CHECK(kilobytes <= 2048);
#endif
#endif
}

TEST_CASE_METHOD(ShimFixture, "SIGTERM stops the command, records its end and ends the shim", "[shim]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done")));
    REQUIRE(eventually([&] { return log_text() == "ready\n"; }));
    REQUIRE(::kill(pid_of(observed().pid), SIGTERM) == 0);
    CHECK(eventually([&] { return !observed().alive; }));
    CHECK(observed().last_exit->exit_code == 3);
}

TEST_CASE_METHOD(ShimFixture, "exec passes exit codes, signals, input and both outputs on", "[shim][exec]") {
    value_of(processes->hold(id));
    CHECK(exec_to_end(sh("exit 0")).exit_code == 0);
    CHECK(exec_to_end(sh("exit 42")).exit_code == 42);
    const auto killed = exec_to_end(sh("kill -KILL $$"));
    CHECK(killed.exit_code == 128 + SIGKILL);
    CHECK(killed.signal == SIGKILL);

    auto program = sh("cat; echo \"$GREETING\" >&2; pwd >&2; echo $TERM >&2");
    program.environment = {{"GREETING", "good day"}};
    program.directory = "/usr";
    const auto said = exec_to_end(program, "some input\n");
    CHECK(said.output == "some input\n");
    CHECK(said.error_output == "good day\n/usr\ndumb\n");
}

TEST_CASE_METHOD(ShimFixture, "exec passes more than any pipe holds", "[shim][exec]") {
    value_of(processes->hold(id));
    std::string input(1 << 20, 'x');
    for (std::size_t i = 0; i < input.size(); i += 997) input[i] = static_cast<char>(i % 251);
    CHECK(exec_to_end({.argv = {"cat"}, .environment = {}}, input).output == input);
}

TEST_CASE_METHOD(ShimFixture, "what a program is to blame for is said so", "[shim][exec]") {
    value_of(processes->hold(id));
    const auto missing = error_of(processes->exec(id, {.argv = {"no-such-program"}, .environment = {}}, no_stdio()));
    CHECK(missing.code == Errc::invalid);
    CHECK(missing.reason == "program_not_found");
    CHECK(missing.field == "/argv/0");

    auto stranger = sh("true");
    stranger.user = "nobody-of-that-name";
    CHECK(error_of(processes->exec(id, stranger, no_stdio())).reason == "user_not_found");

    auto large = sh("true");
    large.environment["LARGE"] = std::string(shim::kMaxFrame, 'x');
    CHECK(error_of(processes->exec(id, large, no_stdio())).reason == "program_too_large");
    CHECK(exec_to_end(sh("exit 5")).exit_code == 5);
}

TEST_CASE_METHOD(ShimFixture, "a program ends with its handle, and all of its session with it", "[shim][exec]") {
    value_of(processes->hold(id));
    // A process group of its own within the session, as an interactive shell makes them.
    auto running = exec(sh("set -m; sleep 1000 & echo $! >" + top.string() + "/child; echo $$ >" + top.string() +
                           "/leader; trap '' TERM HUP; wait"),
                        no_stdio());
    REQUIRE(eventually([&] { return number_in("child") != 0 && number_in("leader") != 0; }));
    const auto child = number_in("child");
    const auto leader = number_in("leader");
    REQUIRE(process_exists(child));
    running.reset();
    CHECK(eventually([&] { return !process_exists(leader); }));
    CHECK(eventually([&] { return !process_exists(child); }));
}

TEST_CASE_METHOD(ShimFixture, "a signal reaches the program", "[shim][exec]") {
    value_of(processes->hold(id));
    auto out = value_of(Pipe::create());
    auto stdio = no_stdio();
    stdio.output = std::move(out.write);
    auto running =
        exec(sh("trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.02; done"), std::move(stdio));
    char first = 0;
    REQUIRE(::read(out.read.get(), &first, 1) == 1);
    value_of(running->kill(SIGUSR1));
    CHECK(value_of(running->wait()).exit_code == 9);
    CHECK(read_all(out.read.get()) == "eady\ngot it\n");
}

TEST_CASE_METHOD(ShimFixture, "many programs at once each get their own exit code", "[shim][exec]") {
    value_of(processes->hold(id));
    constexpr int kCount = 64;
    std::vector<std::thread> threads;
    std::vector<Result<kernel::ProgramExit>> ends(kCount);
    for (int i = 0; i < kCount; ++i)
        threads.emplace_back([this, i, &end = ends[static_cast<std::size_t>(i)]] {
            auto running = processes->exec(id, sh("read line; exit " + std::to_string(i)), no_stdio());
            end = running ? (*running)->wait() : std::unexpected(running.error());
        });
    for (auto& thread : threads) thread.join();
    for (int i = 0; i < kCount; ++i) CHECK(value_of(ends[static_cast<std::size_t>(i)]).exit_code == i);
}

TEST_CASE_METHOD(ShimFixture, "a command's output is in the log, its exit code in the record", "[shim][command]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("echo one; echo two >&2; printf three; exit 7")));
    REQUIRE(eventually([&] { return exited(); }));
    const auto seen = observed();
    CHECK(seen.last_exit->exit_code == 7);
    CHECK(seen.last_exit->reason == "exited");
    CHECK(seen.last_exit->at.milliseconds > 0);
    CHECK(seen.command_pid == 0);

    std::multiset<std::string> records;
    const auto raw = read_all(value_of(processes->open_log(id)).get());
    for (std::size_t begin = 0; begin < raw.size();) {
        const auto end = raw.find('\n', begin);
        const auto record = shim::parse_record(std::string_view(raw).substr(begin, end - begin));
        REQUIRE(record);
        CHECK(UtcTime::parse(record->time));
        records.insert(std::string(1, static_cast<char>(record->stream)) + " " + std::string(record->text));
        begin = end + 1;
    }
    CHECK(records == std::multiset<std::string>{"O one", "E two", "O three"});
}

TEST_CASE_METHOD(ShimFixture, "a prompt without newline reaches the log", "[shim][command]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("printf 'password: '; sleep 1000")));
    CHECK(eventually([&] { return log_text() == "password: "; }));
}

TEST_CASE_METHOD(ShimFixture, "the log is bounded, and its end is kept", "[shim][command]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("seq -f '%0500.0f' 1 80000; echo the end")));  // 40 MB
    REQUIRE(eventually([&] { return exited(); }, seconds(60)));
    const auto size = std::filesystem::file_size(directory() / "log");
    const auto old = std::filesystem::file_size(directory() / "log.1");
    CHECK(size <= shim::kMaxLogBytes);
    CHECK(old <= shim::kMaxLogBytes);
    CHECK(old > shim::kMaxLogBytes - 1000);
    CHECK(log_text().ends_with("80000\nthe end\n"));
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(directory())) ++files;
    CHECK(files == 6);  // lock, state, programs, shim.sock, log, log.1
}

#ifdef __linux__
TEST_CASE_METHOD(ShimFixture, "a full disk costs log lines, never an exit code", "[shim][command]") {
    std::filesystem::create_directories(directory());
    REQUIRE(::mount("tmpfs", directory().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=262144") == 0);
    struct Unmount {
        ShimFixture& fixture;
        ~Unmount() {
            static_cast<void>(fixture.processes->release(id));
            ::umount2(fixture.directory().c_str(), MNT_DETACH);
        }
    } const unmount{*this};
    value_of(processes->hold(id));
    // One that runs on, so that the list of programs does not shrink to nothing and give its page back.
    const auto other = exec(sh("sleep 1000"), no_stdio());
    // 1 MB for the log, and the last free page for somebody else.
    value_of(processes->start_command(
        id, sh("seq -f '%0500.0f' 1 2000; cat /dev/zero >" + (directory() / "other").string() + "; exit 5")));
    REQUIRE(eventually([&] { return exited(); }));
    CHECK(observed().last_exit->exit_code == 5);
    CHECK(log_text().find("the disk is full") != std::string::npos);
    CHECK(exec_to_end(sh("exit 6")).exit_code == 6);
}
#endif

TEST_CASE_METHOD(ShimFixture, "a command that cannot be executed is recorded as failed", "[shim][command]") {
    value_of(processes->hold(id));
    const auto error = error_of(processes->start_command(id, {.argv = {"no-such-program"}, .environment = {}}));
    CHECK(error.code == Errc::invalid);
    CHECK(error.reason == "command_failed");
    auto seen = observed();
    CHECK(seen.command == CommandState::exited);
    CHECK(seen.last_exit->reason == "failed_to_start");
    CHECK(seen.last_exit->exit_code == 127);
    CHECK(log_text().find("no-such-program") != std::string::npos);

    auto stranger = sh("true");
    stranger.user = "nobody-of-that-name";
    CHECK(error_of(processes->start_command(id, stranger)).reason == "command_failed");
    CHECK(observed().last_exit->exit_code == 125);
}

TEST_CASE_METHOD(ShimFixture, "a command is asked to stop, and then made to", "[shim][command]") {
    value_of(processes->hold(id));
    SECTION("it listens") {
        value_of(processes->start_command(id, sh("trap 'exit 4' TERM; echo ready; while :; do sleep 0.02; done")));
        REQUIRE(eventually([&] { return log_text() == "ready\n"; }));
        value_of(processes->stop_command(id, seconds(60)));
        CHECK(observed().last_exit->exit_code == 4);
    }
    SECTION("it does not") {
        value_of(processes->start_command(id, sh("trap '' TERM; echo ready; while :; do sleep 0.02; done")));
        REQUIRE(eventually([&] { return log_text() == "ready\n"; }));
        value_of(processes->stop_command(id, milliseconds(50)));
        CHECK(observed().last_exit->signal == SIGKILL);
        CHECK(observed().last_exit->reason == "signaled");
    }
    SECTION("it leaves others behind") {
        value_of(
            processes->start_command(id, sh("sleep 1000 & echo $! >" + top.string() + "/child; echo ready; wait")));
        REQUIRE(eventually([&] { return log_text() == "ready\n"; }));
        value_of(processes->stop_command(id, seconds(60)));
        CHECK(eventually([&] { return !process_exists(number_in("child")); }));
    }
    CHECK(observed().command == CommandState::exited);
    value_of(processes->stop_command(id, seconds(1)));
}

TEST_CASE_METHOD(ShimFixture, "a command lives through its daemon's end, programs of its clients do not",
                 "[shim][adoption]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("sleep 1000")));
    auto running = exec(sh("echo $$ >" + top.string() + "/exec; sleep 1000"), no_stdio());
    REQUIRE(eventually([&] { return number_in("exec") != 0; }));
    const auto before = observed();
    REQUIRE(process_exists(before.command_pid));

    running.reset();  // as the kernel closes a killed daemon's descriptors
    new_daemon();
    CHECK(eventually([&] { return !process_exists(number_in("exec")); }));
    CHECK(observed() == before);
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("exit 1")));  // it runs already
    CHECK(observed() == before);
    value_of(processes->stop_command(id, seconds(10)));
    CHECK(observed().last_exit->signal == SIGTERM);
}

TEST_CASE_METHOD(ShimFixture, "an exit code is kept while no daemon looks, and beyond the incarnation",
                 "[shim][adoption]") {
    value_of(processes->hold(id));
    value_of(processes->run(id, sh("true"), seconds(10), true));
    value_of(processes->start_command(id, sh("exit 12")));
    new_daemon();
    REQUIRE(eventually([&] { return exited(); }));
    CHECK(observed().start_done);
    const auto exit = observed().last_exit;
    CHECK(exit->exit_code == 12);

    value_of(processes->reset(id));
    CHECK(observed().command == CommandState::none);
    CHECK_FALSE(observed().start_done);
    CHECK(observed().last_exit == exit);
    value_of(processes->release(id));
    CHECK(observed().last_exit == exit);
    value_of(processes->hold(id));
    CHECK(observed().last_exit == exit);
}

TEST_CASE_METHOD(ShimFixture, "a running command is not forgotten", "[shim][command]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("sleep 1000")));
    CHECK(error_of(processes->reset(id)).reason == "command_running");
    CHECK(observed().command == CommandState::running);
}

TEST_CASE_METHOD(ShimFixture, "when a shim is killed its programs are ended and the command is lost", "[shim][lost]") {
    value_of(processes->hold(id));
    value_of(processes->start_command(id, sh("trap '' PIPE HUP; sleep 1000")));
    auto running = exec(sh("echo $$ >" + top.string() + "/exec; sleep 1000"), no_stdio());
    REQUIRE(eventually([&] { return number_in("exec") != 0; }));
    const auto before = observed();
    REQUIRE(::kill(pid_of(before.pid), SIGKILL) == 0);

    CHECK(error_of(running->wait()).reason == "lost");
    CHECK(eventually([&] { return !observed().alive; }));
    value_of(processes->hold(id));
    const auto after = observed();
    CHECK(after.alive);
    CHECK(after.pid != before.pid);
    CHECK(after.command == CommandState::exited);
    CHECK(after.last_exit->reason == "lost");
    CHECK(eventually([&] { return !process_exists(before.command_pid); }));  // until init has waited for it
    CHECK(eventually([&] { return !process_exists(number_in("exec")); }));
    CHECK(exec_to_end(sh("exit 3")).exit_code == 3);
}

TEST_CASE_METHOD(ShimFixture, "after a boot nobody is killed for the pid and start time of a program of before",
                 "[shim][lost]") {
    value_of(processes->hold(id));
    auto running = exec(sh("echo $$ >" + top.string() + "/exec; exec sleep 1000"), no_stdio());
    REQUIRE(eventually([&] { return number_in("exec") != 0; }));
    const auto pid = number_in("exec");
    const auto file = directory() / "programs";
    const auto line =
        std::to_string(pid) + " " + std::to_string(value_of(shim::start_time(pid_of(pid))).value()) + "\n";
    REQUIRE(eventually([&] { return file_text(file) == "boot " + value_of(shim::boot_id()) + "\n" + line; }));
    REQUIRE(::kill(pid_of(observed().pid), SIGKILL) == 0);
    REQUIRE(eventually([&] { return !observed().alive; }));

    // The process now stands for one of another boot that has the same pid and start time by chance.
    const auto boot = GENERATE(as<std::string>(), "boot 00112233445566778899aabbccddeeff\n", "boot \n", "");
    INFO(boot);
    std::ofstream(file) << boot << line;
    auto recorded = shim::read_state(open_directory().get()).value_or(shim::ShimState{});
    recorded.jail_pid = pid;
    recorded.jail_start = value_of(shim::start_time(pid_of(pid))).value();
    recorded.jail_boot = boot.empty() ? "" : "00112233445566778899aabbccddeeff";
    value_of(shim::write_state(open_directory().get(), recorded));
    value_of(processes->hold(id));
    CHECK(process_exists(pid));
    CHECK(value_of(shim::read_state(open_directory().get())).jail_pid == 0);
    CHECK(::kill(pid_of(pid), SIGKILL) == 0);
    CHECK(error_of(running->wait()).reason == "lost");
}

TEST_CASE_METHOD(ShimFixture, "exec.start runs to its end, and only success is remembered", "[shim][run]") {
    value_of(processes->hold(id));
    const auto failed = error_of(processes->run(id, sh("echo no luck; exit 3"), seconds(10), true));
    CHECK(failed.reason == "start_failed");
    CHECK(failed.detail.find('3') != std::string::npos);
    CHECK_FALSE(observed().start_done);
    CHECK(log_text() == "no luck\n");

    const auto late = error_of(processes->run(id, sh("sleep 1000"), milliseconds(100), true));
    CHECK(late.code == Errc::busy);
    CHECK_FALSE(observed().start_done);

    value_of(processes->run(id, sh("true"), seconds(10), false));
    CHECK_FALSE(observed().start_done);
    value_of(processes->run(id, sh("true"), seconds(10), true));
    CHECK(observed().start_done);
}

TEST_CASE_METHOD(ShimFixture, "who waits for a program can be interrupted; the program goes on", "[shim][run]") {
    value_of(processes->hold(id));
    const auto gate = (top / "gate").string();
    const auto script = sh("echo begun; while ! [ -e " + gate + " ]; do sleep 0.02; done");
    Result<void> ended;
    std::thread waiter([&] { ended = processes->run(id, script, std::chrono::hours(24), true); });
    CHECK(eventually([&] { return log_text() == "begun\n"; }));
    processes->interrupt(JailId{8});
    processes->interrupt(id);
    waiter.join();
    CHECK(error_of(ended).reason == "interrupted");
    CHECK_FALSE(observed().start_done);
    std::ofstream(gate) << "open";
    CHECK(eventually([&] { return observed().start_done; }));
}

TEST_CASE_METHOD(ShimFixture, "exec.start that a daemon left behind is waited for, not run twice", "[shim][run]") {
    value_of(processes->hold(id));
    const auto gate = (top / "gate").string();
    const auto script = sh("echo run; while ! [ -e " + gate + " ]; do sleep 0.02; done");
    {
        RawClient killed_daemon(*this);
        killed_daemon.greet();
        const shim::Run run{
            .launch = value_of(attacher.prepare(id, script)), .timeout_ms = 60'000, .marks_start = true};
        killed_daemon.send(shim::MessageType::run, run.encode());
        REQUIRE(eventually([&] { return log_text() == "run\n"; }));
    }
    std::thread opener([&] { std::ofstream(gate) << "open"; });
    value_of(processes->run(id, script, seconds(30), true));
    opener.join();
    CHECK(log_text() == "run\n");
    CHECK(observed().start_done);
}
