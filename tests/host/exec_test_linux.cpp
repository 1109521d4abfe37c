#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "core/kernel/linux/capabilities.h"
#include "core/kernel/linux/linux_kernel.h"
#include "core/kernel/shim/protocol/log_format.h"
#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/host/test_host.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
using kernel::CommandState;
using kernel::Program;

struct Said {
    int exit_code = 0;
    std::string output;
    std::string error_output;
};

std::string read_to_end(const UniqueFd& fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    return text;
}

UniqueFd null() {
    return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

Program sh(const std::string& script) {
    return {.argv = {"/bin/sh", "-c", script}, .environment = {}};
}

/// A line of /proc/<pid>/status, as seen from the host.
std::string status_line(std::int64_t pid, const std::string& key) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
    return {};
}

/// One jail of the whole Linux driver, held by its shim.
struct HeldJail {
    TestHost host;
    std::atomic<int> events = 0;
    std::unique_ptr<kernel::LinuxKernel> driver;

    HeldJail() {
        new_daemon();
        const auto parameters = JailFixture::root_parameters(kJail);
        value_of(driver->roots().prepare(parameters));
        value_of(driver->roots().refresh(parameters));
        for (const auto& mount : value_of(driver->roots().mounts(parameters)))
            value_of(driver->mounts().mount(kJail, mount));
        value_of(driver->processes().hold(kJail));
        value_of(driver->jails().create(JailFixture::jail_parameters(kJail)));
    }
    ~HeldJail() {
        static_cast<void>(driver->jails().remove(kJail));
        static_cast<void>(driver->processes().release(kJail));
    }
    HeldJail(const HeldJail&) = delete;
    HeldJail& operator=(const HeldJail&) = delete;

    void new_daemon() {
        driver.reset();
        driver = value_of(kernel::LinuxKernel::create(JailFixture::options(host)));
    }
    [[nodiscard]] fs::path root() const { return host.state_directory() / "jails/1/root"; }
    kernel::ObservedShim shim() {
        const auto all = value_of(driver->processes().list(kJail));
        REQUIRE(all.size() == 1);
        return all.front();
    }
    std::int64_t pause() { return value_of(driver->jails().list(kJail)).at(0).pid; }
    Error refused(const Program& program) {
        return error_of(
            driver->processes().exec(kJail, program, {.input = null(), .output = null(), .error_output = null()}));
    }
    std::string exec_on_terminal(const Program& program) {
        auto running = value_of(driver->processes().exec(kJail, program, {}));
        auto said = read_to_end(running->take_terminal());
        CHECK(value_of(running->wait()).exit_code == 0);
        return said;
    }
    Said exec(const Program& program) {
        auto out = value_of(Pipe::create());
        auto err = value_of(Pipe::create());
        auto running = value_of(driver->processes().exec(
            kJail, program, {.input = null(), .output = std::move(out.write), .error_output = std::move(err.write)}));
        Said said{.output = read_to_end(out.read), .error_output = read_to_end(err.read)};
        said.exit_code = value_of(running->wait()).exit_code;
        return said;
    }
};

}  // namespace

TEST_CASE("a program runs in the jail with its own arguments, environment, directory and user", "[host][exec]") {
    HeldJail jail;
    CHECK(jail.exec(sh("exit 0")).exit_code == 0);
    CHECK(jail.exec(sh("exit 41")).exit_code == 41);
    CHECK(jail.exec(sh("kill -KILL $$")).exit_code == 128 + SIGKILL);

    auto program = sh("hostname; pwd; id -u; echo $GREETING/$HOME/$USER/$TERM; echo $PATH >&2");
    program.environment = {{"GREETING", "good day"}};
    program.directory = "/usr";
    auto said = jail.exec(program);
    CHECK(said.output == "host1\n/usr\n0\ngood day//root/root/dumb\n");
    CHECK(said.error_output == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
    CHECK(jail.exec({.argv = {"hostname"}, .environment = {}}).output == "host1\n");  // by the jail's PATH

    std::ofstream(jail.root() / "etc/passwd", std::ios::app) << "www:x:80:81::/srv:/bin/sh\n";
    std::ofstream(jail.root() / "etc/group", std::ios::app) << "web:x:81:\nvideo:x:44:www\n";
    program = sh("id -u; id -g; id -G; echo $HOME");
    program.user = "www";
    CHECK(jail.exec(program).output == "80\n81\n81 44\n/srv\n");
    program.user = "80";
    CHECK(jail.exec(program).output == "80\n81\n81 44\n/srv\n");
}

TEST_CASE("a program is confined as the jail's first process is", "[host][exec]") {
    HeldJail jail;
    const auto status = [&](const std::string& user, const std::string& key) {
        auto program = sh("sed -n 's/^" + key + ":\\t//p' /proc/self/status");
        program.user = user;
        return jail.exec(program).output;
    };
    const auto pause = jail.pause();
    for (const auto* key : {"CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp"}) {
        INFO(key);
        CHECK(status("root", key) == status_line(pause, key) + "\n");
    }
    CHECK(status("root", "NoNewPrivs") == "1\n");
    CHECK(status("root", "Seccomp") == "2\n");

    std::ofstream(jail.root() / "etc/passwd", std::ios::app) << "www:x:80:80::/:/bin/sh\n";
    CHECK(status("www", "CapEff") == "0000000000000000\n");
    CHECK(status("www", "CapPrm") == "0000000000000000\n");
    CHECK(status("www", "CapBnd") == status("root", "CapBnd"));
    // No descriptor of the shim's or the runtime's: 0, 1, 2, and the one that ls(1) reads with.
    CHECK(jail.exec({.argv = {"ls", "/proc/self/fd"}, .environment = {}}).output == "0\n1\n2\n3\n");
}

TEST_CASE("why a program does not run is said with its field", "[host][exec]") {
    HeldJail jail;
    const auto check = [&](const Program& program, std::string_view reason, std::string_view field) {
        const auto error = jail.refused(program);
        INFO(error.to_string());
        CHECK(error.code == Errc::invalid);
        CHECK(error.reason == reason);
        CHECK(error.field == field);
    };
    std::ofstream(jail.root() / "tmp/plain") << "no program";
    check({.argv = {"no-such-program"}, .environment = {}}, "program_not_found", "/argv/0");
    check({.argv = {"/no/such/program"}, .environment = {}}, "program_not_found", "/argv/0");
    check({.argv = {"/tmp/plain"}, .environment = {}}, "program_not_executable", "/argv/0");
    check({.argv = {"/etc"}, .environment = {}}, "program_not_executable", "/argv/0");
    check({.argv = {"chdir to cwd: does not exist"}, .environment = {}}, "program_not_found", "/argv/0");
    auto program = sh("true");
    program.directory = "/no/such/directory";
    check(program, "directory_not_found", "/directory");
    program = sh("true");
    program.user = "nobody-of-that-name";
    check(program, "user_not_found", "/user");
    program.user = "4711";
    check(program, "user_not_found", "/user");
    check({.argv = {"echo", "\xff"}, .environment = {}}, "invalid_program", "");
    check({.argv = {}, .environment = {}}, "invalid_program", "/argv");
    program = sh("true");
    program.directory = "relative";
    check(program, "invalid_program", "/directory");
    program = sh("true");
    program.environment = {{"A=B", "c"}};
    check(program, "invalid_program", "/environment");
}

TEST_CASE("a jail's root cannot have a program started as a user of the host's files", "[host][exec]") {
    HeldJail jail;
    fs::remove(jail.root() / "etc/passwd");
    fs::create_symlink("/etc/passwd", jail.root() / "etc/passwd");
    CHECK(jail.refused(sh("true")).reason == "user_not_found");
}

TEST_CASE("the shortest programs keep their exit codes", "[host][exec]") {
    HeldJail jail;
    std::vector<std::thread> threads;
    std::vector<Result<kernel::ProgramExit>> ends(24);
    for (std::size_t i = 0; i < ends.size(); ++i)
        threads.emplace_back([&jail, &end = ends[i], i] {
            auto running = jail.driver->processes().exec(kJail, sh("exit " + std::to_string(i)),
                                                         {.input = null(), .output = null(), .error_output = null()});
            end = running ? (*running)->wait() : std::unexpected(running.error());
        });
    for (auto& thread : threads) thread.join();
    for (std::size_t i = 0; i < ends.size(); ++i) CHECK(value_of(ends[i]).exit_code == static_cast<int>(i));
}

TEST_CASE("a program in a jail ends with its handle", "[host][exec]") {
    HeldJail jail;
    auto out = value_of(Pipe::create());
    auto running = value_of(
        jail.driver->processes().exec(kJail, sh("trap '' HUP TERM; sleep 1000 & echo ready; wait"),
                                      {.input = null(), .output = std::move(out.write), .error_output = null()}));
    char first = 0;
    REQUIRE(::read(out.read.get(), &first, 1) == 1);
    running.reset();
    CHECK(read_to_end(out.read) == "eady\n");  // the end of file comes when all that hold it are gone
}

TEST_CASE("a command in a jail lives through its daemon's end with the same pids", "[host][command]") {
    HeldJail jail;
    value_of(jail.driver->processes().start_command(kJail, sh("echo begun; sleep 1000")));
    const auto before = jail.shim();
    const auto pause = jail.pause();
    CHECK(before.command == CommandState::running);
    CHECK(status_line(before.command_pid, "PPid") == std::to_string(before.pid));
    CHECK(status_line(pause, "PPid") == std::to_string(before.pid));
    CHECK(::getsid(static_cast<pid_t>(before.command_pid)) == before.command_pid);

    jail.new_daemon();
    CHECK(jail.shim() == before);
    CHECK(jail.pause() == pause);
    value_of(jail.driver->processes().stop_command(kJail, Milliseconds{10'000}));
    CHECK(jail.shim().last_exit->signal == SIGTERM);
    const auto log = value_of(jail.driver->processes().open_log(kJail));
    CHECK(shim::LogText().feed(read_to_end(log)) == "begun\n");
}

TEST_CASE("the end of a jail's first process is an event, and of its command the exit", "[host][command]") {
    HeldJail jail;
    value_of(jail.driver->processes().start_command(kJail, sh("sleep 1000")));
    jail.driver->watch([&jail](JailId) { ++jail.events; });
    REQUIRE(eventually([&] { return jail.events > 0; }));
    const int before = jail.events;
    REQUIRE(::kill(static_cast<pid_t>(jail.pause()), SIGKILL) == 0);
    CHECK(eventually([&] { return jail.events > before; }));
    REQUIRE(eventually([&] { return jail.shim().command == CommandState::exited; }));
    CHECK(jail.shim().last_exit->signal == SIGKILL);
    CHECK(jail.refused(sh("true")).reason == "jail_not_running");
    jail.driver.reset();  // its callback counts in `jail`
    jail.new_daemon();
}

TEST_CASE("a jail that is removed with its command can be begun anew", "[host][command]") {
    HeldJail jail;
    auto& processes = jail.driver->processes();
    value_of(processes.run(kJail, sh("true"), Milliseconds{10'000}, true));
    value_of(processes.start_command(kJail, sh("sleep 1000")));
    value_of(jail.driver->jails().remove(kJail));
    value_of(processes.reset(kJail));
    CHECK(jail.shim().command == CommandState::none);
    CHECK_FALSE(jail.shim().start_done);
    CHECK(jail.shim().last_exit->signal == SIGKILL);
    value_of(jail.driver->jails().create(JailFixture::jail_parameters(kJail)));
    value_of(processes.start_command(kJail, sh("exit 3")));
    CHECK(eventually([&] { return jail.shim().command == CommandState::exited; }));
    CHECK(jail.shim().last_exit->exit_code == 3);
}

TEST_CASE("a secret of the environment is in no file and no argument", "[host][exec]") {
    HeldJail jail;
    auto program = sh("sleep 1000");
    program.environment = {{"TOKEN", "open-sesame-4711"}};
    auto running = value_of(
        jail.driver->processes().exec(kJail, program, {.input = null(), .output = null(), .error_output = null()}));
    value_of(jail.driver->processes().start_command(kJail, program));
    for (const auto& directory :
         {jail.host.state_directory() / "jails/1/shim", jail.host.state_directory() / "jails/1/bundle",
          JailFixture::options(jail.host).state_directory})
        for (const auto& entry : fs::directory_iterator(directory))
            if (entry.is_regular_file()) CHECK(read_file(entry.path()).find("open-sesame-4711") == std::string::npos);
    for (const auto& entry : fs::directory_iterator("/proc"))
        CHECK(read_file(entry.path() / "cmdline").find("open-sesame-4711") == std::string::npos);
    CHECK(fs::directory_iterator(jail.host.state_directory() / "jails/1/shim") != fs::directory_iterator());
}

TEST_CASE("a program's terminal is of the jail's own, and its user's", "[host][exec][terminal]") {
    HeldJail jail;
    std::ofstream(jail.root() / "etc/passwd", std::ios::app) << "www:x:80:80::/:/bin/sh\n";
    auto program = sh("tty; stat -c '%u %a' $(tty); stty size </dev/tty; ls /proc/self/fd; echo $TERM");
    program.user = "www";
    program.terminal = TerminalSize{.rows = 50, .columns = 132};
    CHECK(jail.exec_on_terminal(program) == "/dev/pts/0\r\n80 620\r\n50 132\r\n0  1  2  3\r\ndumb\r\n");
}

TEST_CASE("no output of a program with a terminal is lost at its end", "[host][exec][terminal]") {
    HeldJail jail;
    for (int round = 0; round < 10; ++round) {
        auto program = sh("head -c 60000 /dev/zero | tr '\\0' x; echo; echo end");
        program.terminal = TerminalSize{};
        CHECK(jail.exec_on_terminal(program) == std::string(60'000, 'x') + "\r\nend\r\n");
    }
}

TEST_CASE("a terminal that did not come about leaves nothing behind", "[host][exec][terminal]") {
    HeldJail jail;
    const auto shim_files = [&] {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(jail.host.state_directory() / "jails/1/shim"))
            names.insert(entry.path().filename());
        return names;
    };
    const auto descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto files_before = shim_files();
    const auto descriptors_before = descriptors();
    // What a daemon that was killed in that moment left.
    std::ofstream(jail.host.state_directory() / "jails/1/shim/console") << "old";

    Program missing{.argv = {"no-such-program"}, .environment = {}};
    missing.terminal = TerminalSize{};
    CHECK(jail.refused(missing).reason == "program_not_found");
    auto good = sh("echo yes");
    good.terminal = TerminalSize{};
    CHECK(jail.exec_on_terminal(good) == "yes\r\n");
    for (const auto* trick : {"rm /dev/ptmx", "mkfifo /dev/ptmx", "rm /dev/ptmx; ln -s null /dev/ptmx",
                              "rm /dev/ptmx; echo > /dev/ptmx", "rm /dev/ptmx; ln -s /dev/pts /dev/ptmx"}) {
        INFO(trick);
        CHECK(jail.exec(sh(trick)).exit_code == 0);
        const auto error = jail.refused(good);
        INFO(error.to_string());
        CHECK(error.reason == "no_terminal");
        CHECK(jail.exec(sh("true")).exit_code == 0);
    }
    CHECK(jail.exec(sh("rm -f /dev/ptmx; ln -s pts/ptmx /dev/ptmx")).exit_code == 0);
    CHECK(jail.exec_on_terminal(good) == "yes\r\n");
    CHECK(shim_files() == files_before);
    CHECK(descriptors() == descriptors_before);
}

TEST_CASE("programs with terminals run side by side", "[host][exec][terminal]") {
    HeldJail jail;
    std::vector<std::thread> threads;
    std::vector<std::string> said(8);
    for (std::size_t i = 0; i < said.size(); ++i)
        threads.emplace_back([&jail, &text = said[i], i] {
            auto program = sh("stty size");
            program.terminal = TerminalSize{.rows = static_cast<unsigned short>(i + 1), .columns = 7};
            auto running = jail.driver->processes().exec(kJail, program, {});
            text = running ? read_to_end((*running)->take_terminal()) : running.error().to_string();
        });
    for (auto& thread : threads) thread.join();
    for (std::size_t i = 0; i < said.size(); ++i) CHECK(said[i] == std::to_string(i + 1) + " 7\r\n");
}

TEST_CASE("who closes a terminal hangs it up, and its handle ends the whole session", "[host][exec][terminal]") {
    HeldJail jail;
    auto program = sh("trap '' HUP; sleep 4711 & echo $!; wait");
    program.terminal = TerminalSize{};
    auto running = value_of(jail.driver->processes().exec(kJail, program, {}));
    const auto terminal = running->take_terminal();
    CHECK_FALSE(running->take_terminal());
    char first = 0;
    REQUIRE(::read(terminal.get(), &first, 1) == 1);
    running.reset();
    read_to_end(terminal);  // to EIO, when nobody has it open any more
    const auto sleeping = jail.exec(sh("cat /proc/[0-9]*/cmdline"));
    CHECK_FALSE(sleeping.output.contains("4711"));

    program = sh("echo ready; exec sleep 4712");
    program.terminal = TerminalSize{};
    running = value_of(jail.driver->processes().exec(kJail, program, {}));
    auto other = running->take_terminal();
    REQUIRE(::read(other.get(), &first, 1) == 1);
    other.reset();
    CHECK(value_of(running->wait()).signal == SIGHUP);
}

}  // namespace jaild::test
