#include "core/base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>

#include "tests/temp_directory.h"
#include "tests/unit/base/alive.h"

using namespace jaild;
using namespace jaild::test;
using namespace std::chrono_literals;

namespace {

/// What a shell makes of `script`; a test's own program, the daemon never has one.
Completed sh(const std::string& script, RunOptions options = {}) {
    return value_of(run({"sh", "-c", script}, options));
}

int exit_code_of(pid_t pid) {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_to_end(int fd) {
    std::string text;
    char buffer[512];
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    return text;
}

}  // namespace

TEST_CASE("a program's exit code and both its streams come back", "[spawn]") {
    const auto done = sh("echo out; echo err >&2; exit 7");
    CHECK(done.exit_code == 7);
    CHECK(done.output == "out\n");
    CHECK(done.error_output == "err\n");
}

TEST_CASE("a signal that ended it is 128 and its number", "[spawn]") {
    CHECK(sh("kill -KILL $$").exit_code == 128 + SIGKILL);
}

TEST_CASE("arguments arrive as they are", "[spawn]") {
    const auto done = value_of(run({"printf", "%s|", "a b", "", "$HOME", "'\"", "new\nline"}));
    CHECK(done.output == "a b||$HOME|'\"|new\nline|");
}

TEST_CASE("standard input is written to the end, larger than any pipe", "[spawn]") {
    RunOptions options;
    options.input = std::string(3'000'000, 'x');
    CHECK(sh("wc -c", options).output.find("3000000") != std::string::npos);
    options.input.clear();
    CHECK(sh("cat; echo end", options).output == "end\n");
}

TEST_CASE("a program that does not read its input does not kill us with SIGPIPE", "[spawn]") {
    struct sigaction before {};
    struct sigaction fatal {};
    fatal.sa_handler = SIG_DFL;
    ::sigaction(SIGPIPE, &fatal, &before);
    RunOptions options;
    options.input = std::string(1'000'000, 'x');
    CHECK(sh("exec <&-; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3", options).exit_code == 3);
    ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_CASE("output beyond the limit is read and dropped", "[spawn]") {
    RunOptions options;
    options.output_limit = 1000;
    const auto done =
        sh("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123; "
           "i=$((i+1)); done; echo done >&2",
           options);
    CHECK(done.exit_code == 0);
    CHECK(done.output.size() == 1000);
    CHECK(done.error_output == "done\n");
}

TEST_CASE("a program that does not end is killed with its children at the deadline", "[spawn]") {
    Alive alive;
    RunOptions options;
    options.timeout = 2s;  // long enough for a shell to begin, on any machine
    const auto error = error_of(
        run({"sh", "-c", "exec 5>\"$0\"; echo begun >&5; trap '' TERM; sleep 600 & wait", alive.path()}, options));
    CHECK(error.code == Errc::busy);
    CHECK(error.name() == "timeout");
    CHECK(alive.wait_for_end() == "begun\n");
}

TEST_CASE("a child that keeps the output open is not waited for", "[spawn]") {
    RunOptions options;
    options.timeout = 60s;
    const auto done = sh("sleep 600 & echo $!", options);
    CHECK(done.exit_code == 0);
    const auto child = static_cast<pid_t>(std::stol(done.output));
    CHECK(::kill(child, SIGKILL) == 0);  // it was still there, with our output
}

TEST_CASE("who watches a program hears both its streams while it runs", "[spawn]") {
    std::string heard;
    RunOptions options;
    // It goes on only when what it said was heard.
    const TempDirectory own;
    const auto flag = own.path() / "heard";
    options.watch = [&](std::string_view text) {
        heard += text;
        if (heard.contains("one") && heard.contains("two")) static_cast<void>(files::write_atomic(flag, "x", 0600));
        return true;
    };
    const auto done = sh("echo one; echo two >&2; until [ -e " + flag.string() + " ]; do :; done; echo three", options);
    CHECK(done.exit_code == 0);
    CHECK(heard.ends_with("three\n"));
    CHECK(done.output == "one\nthree\n");
}

TEST_CASE("a program that nobody wants any more is killed with its children", "[spawn]") {
    Alive alive;
    RunOptions options;
    options.watch = [](std::string_view text) { return text.empty(); };
    const auto ended =
        run({"sh", "-c", "exec 5>\"$0\"; echo begun >&5; sleep 600 & echo on; wait", alive.path()}, options);
    REQUIRE_FALSE(ended);
    CHECK((ended.error().code == Errc::conflict && ended.error().reason == "interrupted"));
    CHECK(alive.wait_for_end() == "begun\n");
}

TEST_CASE("what a program leaves running in its group is killed when that was asked for", "[spawn]") {
    Alive alive;
    RunOptions options;
    options.leftovers = Leftovers::killed;
    const auto done =
        value_of(run({"sh", "-c", "exec 5>\"$0\"; echo begun >&5; sleep 600 & exit 3", alive.path()}, options));
    CHECK(done.exit_code == 3);
    CHECK(alive.wait_for_end() == "begun\n");
}

TEST_CASE("a program is looked up where only the administrator writes", "[spawn]") {
    CHECK(error_of(run({"no-such-program-of-ours"})).name() == "program_not_found");
    CHECK(error_of(run({"./sh", "-c", "true"})).name() == "invalid_argv");
    CHECK(error_of(run({})).name() == "invalid_argv");
    CHECK(error_of(run({""})).name() == "invalid_argv");
    CHECK(error_of(run({"sh", std::string("a\0b", 3)})).name() == "invalid_argv");
    CHECK(error_of(run({"/no/such/program"})).code == Errc::not_found);
    ::setenv("JAILD_TEST_VARIABLE", "leaked", 1);
    CHECK(sh("echo $PATH-$JAILD_TEST_VARIABLE").output == std::string(kSystemPath) + "-\n");
    ::unsetenv("JAILD_TEST_VARIABLE");
}

TEST_CASE("the environment is exactly what was given", "[spawn]") {
    RunOptions options;
    options.environment = {"A=1", "B=two words"};
    CHECK(value_of(run({"/usr/bin/env"}, options)).output == "A=1\nB=two words\n");
}

TEST_CASE("a program starts with no signal blocked or ignored", "[spawn]") {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    struct sigaction ignore {};
    struct sigaction old {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &old);
    const auto done = sh("kill -PIPE $$; exit 9");
    ::sigaction(SIGPIPE, &old, nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK(done.exit_code == 128 + SIGPIPE);
}

TEST_CASE("a spawned program has its four descriptors and no other", "[spawn]") {
    const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
    auto out = value_of(Pipe::create());
    auto passed = value_of(Pipe::create());
    SpawnOptions options;
    options.standard_output = out.write.get();
    options.pass = passed.write.get();
    const auto started = value_of(spawn(
        {"sh", "-c", "echo three >&3; for i in 0 1 2 3 4 5 6 7 8 9; do (: <&$i) 2>/dev/null && echo $i; done; cat"},
        options));
    out.write.reset();
    passed.write.reset();
    CHECK(read_to_end(passed.read.get()) == "three\n");
    CHECK(read_to_end(out.read.get()) == "0\n1\n2\n3\n");
    CHECK(exit_code_of(started.pid) == 0);
    ::close(leaked);
}

TEST_CASE("descriptors may be given crosswise", "[spawn]") {
    auto out = value_of(Pipe::create());
    auto err = value_of(Pipe::create());
    const int saved_out = ::fcntl(1, F_DUPFD_CLOEXEC, 50);
    const int saved_err = ::fcntl(2, F_DUPFD_CLOEXEC, 50);
    ::dup2(err.write.get(), 1);
    ::dup2(out.write.get(), 2);
    const auto started = spawn({"sh", "-c", "echo out; echo err >&2"}, {.standard_output = 2, .standard_error = 1});
    ::dup2(saved_out, 1);
    ::dup2(saved_err, 2);
    ::close(saved_out);
    ::close(saved_err);
    out.write.reset();
    err.write.reset();
    const auto pid = value_of(started).pid;
    CHECK(read_to_end(out.read.get()) == "out\n");
    CHECK(read_to_end(err.read.get()) == "err\n");
    CHECK(exit_code_of(pid) == 0);
}

#ifdef __linux__
TEST_CASE("a new session is the program's own", "[spawn]") {
    auto out = value_of(Pipe::create());
    const auto started = value_of(
        spawn({"sh", "-c", "cut -d' ' -f6 /proc/$$/stat"}, {.standard_output = out.write.get(), .new_session = true}));
    out.write.reset();
    CHECK(read_to_end(out.read.get()) == std::to_string(started.pid) + "\n");
    CHECK(exit_code_of(started.pid) == 0);
}
#endif
