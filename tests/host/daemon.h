#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "core/base/spawn.h"
#include "tests/host/http.h"
#include "tests/host/test_host.h"

namespace jaild::test {

/// The program jaild, on a test host, with the host's state directory and the UNIX socket in it. Every function ends
/// the test when it cannot do what it says. The destructor kills the daemon; its jails are the test host's to clear
/// away.
class Daemon {
public:
    /// Starts nothing.
    explicit Daemon(TestHost& host);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// "NAME=value", from the next start on; empty: what spawn() gives by itself.
    void set_environment(std::vector<std::string> variables) { environment_ = std::move(variables); }
    /// Returns when /readyz says so: the first reconcile is done. `arguments` come after --state-dir.
    void start(const Argv& arguments = {});
    /// Returns at once.
    void launch(const Argv& arguments = {});
    void wait_until_ready();
    /// SIGTERM; returns its exit code, 128 + signal when one ended it.
    int stop();
    /// SIGKILL, and gone when it returns.
    void kill();
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::filesystem::path socket() const { return host_.state_directory() / "jaild.sock"; }
    /// Standard error of all its lives.
    [[nodiscard]] std::string log() const;

    /// Any status is an answer.
    HttpReply request(const std::string& method, const std::string& path, const std::string& body = {},
                      const std::string& headers = {}) const;
    /// jaildctl on the test host, told where the daemon is.
    Completed ctl(const Argv& arguments, const RunOptions& options = {}) const;

private:
    int wait();

    TestHost& host_;
    std::vector<std::string> environment_;
    pid_t pid_ = 0;
};

/// The jaild, jaildctl under test: environment JAILD_BIN and JAILDCTL_BIN, else this build's.
std::string jaild_program();
std::string jaildctl_program();

}  // namespace jaild::test
