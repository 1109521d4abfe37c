#include "tests/host/shim_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "core/base/files.h"
#include "core/base/random.h"
#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/log_format.h"
#include "core/kernel/shim/protocol/paths.h"
#include "tests/host/daemon.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

/// Begins a session and goes at once, so that the program is an orphan: setsid(1), daemon(8).
#ifdef __FreeBSD__
constexpr const char* kDetach = "/usr/sbin/daemon";
#else
constexpr const char* kDetach = "setsid -f";
#endif

/// $1 pid file, $2 directory, $3 what detaches, then the program. 3 is the document, 4 the helper's log, both not the
/// program's. The program is no child of the shell, which would wait for it.
constexpr const char* kHelper = R"(
pid_file=$1; cd "$2" || exit 1; detach=$3; shift 3
command -v -- "$1" >/dev/null || { echo "no $1" >&4; exit 1; }
$detach /bin/sh -c 'echo $$ >"$0"; exec "$@"' "$pid_file" "$@" 3<&- 4>&-
while ! [ -s "$pid_file" ]; do sleep 0.01; done
)";

fs::path shim_program() {
    const auto directory = fs::path(jaild_program()).parent_path();
    const auto beside = directory / "jaild-shim";
    return fs::exists(beside) ? beside : directory.parent_path() / "libexec/jaild/jaild-shim";
}

class LaterTerminal : public kernel::Terminal {
public:
    Result<Request> request() override { return Request{.type = static_cast<shim::MessageType>(60)}; }
    Result<UniqueFd> master() override { return std::unexpected(Error{.code = Errc::kernel, .op = "master"}); }
};

std::string make_directory() {
    std::string name = "/tmp/jaild-shim-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
}

}  // namespace

Result<shim::Launch> HostAttacher::prepare(JailId id, const kernel::Program& program) {
    if (const auto good = kernel::check_program(program); !good) return std::unexpected(good.error());
    if (program.user != "root") return std::unexpected(kernel::user_not_found(program));
    const auto name = "attach-" + random_hex(4) + ".pid";
    shim::Launch launch{.argv = {"/bin/sh", "-c", kHelper, "attach", (state_ / shim::directory_of(id) / name).string(),
                                 program.directory, kDetach}};
    launch.argv.insert(launch.argv.end(), program.argv.begin(), program.argv.end());
    launch.environment =
        kernel::environment_of(program, {.path = "/usr/bin:/bin", .home = "/", .user = "root", .shell = "/bin/sh"});
    launch.pid_file = name;
    return launch;
}

Result<std::unique_ptr<kernel::Terminal>> HostAttacher::open_terminal(int, TerminalSize) {
    return std::make_unique<LaterTerminal>();
}

Error HostAttacher::explain(const kernel::Program& program, const shim::Refused& refused) const {
    if (refused.stage == shim::Stage::helper && refused.text.starts_with("no "))
        return kernel::program_not_found(program);
    return kernel::explain_refusal(program, refused);
}

ShimFixture::ShimFixture() : top(make_directory()), state(top / std::string(120, 'l')), attacher(state) {
    ::signal(SIGPIPE, SIG_IGN);  // as jaild does: a program may end without reading its input
    fs::create_directories(state);
    new_daemon();
}

ShimFixture::~ShimFixture() {
    // Also after a failed test, and after a shim that was killed: a new one ends what that one left.
    for (const auto& one : processes->list(std::nullopt).value_or(std::vector<kernel::ObservedShim>{})) {
        static_cast<void>(processes->hold(one.id));
        CHECK(processes->release(one.id));
    }
    processes.reset();
    std::error_code ignored;
    fs::remove_all(top, ignored);
}

void ShimFixture::new_daemon() {
    processes.reset();
    processes = value_of(kernel::ShimProcesses::create({.state_directory = state, .shim = shim_program()}, attacher));
}

void ShimFixture::watch() {
    value_of(processes->watch([this](JailId jail) { events += jail == id ? 1 : 0; }));
}

kernel::ObservedShim ShimFixture::observed() {
    const auto all = value_of(processes->list(id));
    REQUIRE(all.size() == 1);
    return all.front();
}

fs::path ShimFixture::directory() const {
    return state / shim::directory_of(id);
}

UniqueFd ShimFixture::open_directory() const {
    return value_of(files::open_directory(directory()));
}

std::string ShimFixture::log_text() {
    const auto log = value_of(processes->open_log(id));
    return shim::LogText().feed(read_all(log.get()));
}

kernel::Program ShimFixture::sh(const std::string& script) {
    return {.argv = {"/bin/sh", "-c", script}, .environment = {}};
}

std::unique_ptr<kernel::RunningProgram> ShimFixture::exec(const kernel::Program& program, kernel::Stdio stdio) {
    return value_of(processes->exec(id, program, std::move(stdio)));
}

Outcome ShimFixture::exec_to_end(const kernel::Program& program, const std::string& input) {
    auto in = value_of(Pipe::create());
    auto out = value_of(Pipe::create());
    auto err = value_of(Pipe::create());
    auto running = exec(
        program, {.input = std::move(in.read), .output = std::move(out.write), .error_output = std::move(err.write)});
    Outcome outcome;
    std::thread writer([&] {
        for (std::size_t at = 0; at < input.size();) {
            const auto put = ::write(in.write.get(), input.data() + at, input.size() - at);
            if (put <= 0) break;
            at += static_cast<std::size_t>(put);
        }
        in.write.reset();
    });
    std::thread reader([&] { outcome.error_output = read_all(err.read.get()); });
    outcome.output = read_all(out.read.get());
    writer.join();
    reader.join();
    const auto end = value_of(running->wait());
    outcome.exit_code = end.exit_code;
    outcome.signal = end.signal;
    return outcome;
}

std::int64_t ShimFixture::number_in(const std::string& name) const {
    std::int64_t number = 0;
    std::ifstream(top / name) >> number;
    return number;
}

kernel::Stdio no_stdio() {
    const auto null = [] { return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)); };
    return {.input = null(), .output = null(), .error_output = null()};
}

bool process_exists(std::int64_t pid) {
    return pid > 0 && ::kill(static_cast<pid_t>(pid), 0) == 0;
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer;
    for (;;) {
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

RawClient::RawClient(const ShimFixture& fixture)
    : channel_(value_of(shim::connect_in(fixture.open_directory().get(), shim::kSocketName))) {}

void RawClient::send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto put = ::send(channel_.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
            continue;
        }
        if (errno != EAGAIN) return;  // the shim may refuse the rest
        pollfd one{.fd = channel_.descriptor(), .events = POLLOUT, .revents = 0};
        REQUIRE(::poll(&one, 1, 10'000) > 0);
    }
}

void RawClient::send(shim::MessageType type, std::string_view body) {
    REQUIRE(channel_.queue(type, body));
    REQUIRE(channel_.send() == shim::Channel::State::open);
    REQUIRE(channel_.unsent() == 0);
}

void RawClient::greet() {
    send(shim::MessageType::hello, shim::Hello{.program = "test"}.encode());
    const auto answer = receive();
    REQUIRE(answer);
    REQUIRE(answer->type == shim::MessageType::hello_answer);
}

std::optional<shim::Frame> RawClient::receive() {
    for (bool open = true;;) {
        if (auto frame = channel_.next()) return frame;
        if (!open) return std::nullopt;
        pollfd one{.fd = channel_.descriptor(), .events = POLLIN, .revents = 0};
        REQUIRE(::poll(&one, 1, 10'000) > 0);
        open = channel_.receive() == shim::Channel::State::open;
    }
}

bool RawClient::closed_by_shim() {
    while (receive()) continue;
    return true;
}

}  // namespace jaild::test
