#include "tests/host/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/host/eventually.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

std::string from_environment(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : value;
}

/// Beside the state directory: jaild need not make way for it.
std::filesystem::path log_file(const TestHost& host) {
    return host.state_directory() / "test-daemon.log";
}

}  // namespace

std::string jaild_program() {
    return from_environment("JAILD_BIN", JAILD_BIN);
}
std::string jaildctl_program() {
    return from_environment("JAILDCTL_BIN", JAILDCTL_BIN);
}

Daemon::Daemon(TestHost& host) : host_(host) {}

Daemon::~Daemon() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait();
}

void Daemon::launch(const Argv& arguments) {
    REQUIRE(pid_ == 0);
    const UniqueFd log(::open(log_file(host_).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    REQUIRE(log.get() >= 0);
    Argv argv{jaild_program(), "--state-dir", host_.state_directory()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const SpawnOptions options{.environment = environment_,
                               .standard_input = -1,
                               .standard_output = log.get(),
                               .standard_error = log.get(),
                               .pass = {},
                               .new_session = true};
    pid_ = value_of(spawn(host_.on_host(argv), options)).pid;
}

void Daemon::wait_until_ready() {
    int status = 0;
    bool ended = false;
    const bool ready = eventually(
        [&] {
            ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
            if (ended) return true;
            const auto reply = http(socket(), "GET", "/readyz");
            return reply && reply->status == 200;
        },
        std::chrono::seconds(60));
    if (ended) pid_ = 0;
    INFO(log());
    REQUIRE_FALSE(ended);
    REQUIRE(ready);
    const auto about = nlohmann::json::parse(request("GET", "/v1/host").body, nullptr, false);
    REQUIRE(about.is_object());
    host_.add_instance(value_of(InstanceId::parse(about.value("instance", std::string()))));
}

void Daemon::start(const Argv& arguments) {
    launch(arguments);
    wait_until_ready();
}

int Daemon::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int Daemon::stop() {
    REQUIRE(pid_ != 0);
    REQUIRE(::kill(pid_, SIGTERM) == 0);
    return wait();
}

void Daemon::kill() {
    REQUIRE(pid_ != 0);
    REQUIRE(::kill(pid_, SIGKILL) == 0);
    wait();
}

std::string Daemon::log() const {
    std::ifstream stream(log_file(host_));
    std::ostringstream all;
    all << stream.rdbuf();
    return std::move(all).str();
}

HttpReply Daemon::request(const std::string& method, const std::string& path, const std::string& body,
                          const std::string& headers) const {
    return value_of(http(socket(), method, path, body, headers));
}

Completed Daemon::ctl(const Argv& arguments, const RunOptions& options) const {
    Argv argv{jaildctl_program(), "--host", "unix://" + socket().string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return value_of(run(host_.on_host(argv), options));
}

}  // namespace jaild::test
