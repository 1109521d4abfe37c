#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/host/daemon.h"

namespace jaild::test {

/// What a user of a daemon does with jails, over HTTP, and what the user's eyes on the host see of them. Every function
/// ends the test when it is answered otherwise than it says.
class Client {
public:
    explicit Client(const Daemon& daemon) : daemon_(daemon) {}

    [[nodiscard]] nlohmann::json get(const std::string& path) const;
    /// The jail, running or as `spec` says.
    nlohmann::json create(const nlohmann::json& spec) const;
    nlohmann::json change(const std::string& name, const nlohmann::json& patch, const std::string& query = {}) const;
    void restart(const std::string& name) const;
    /// Running or not; nothing of it is left then.
    void remove(const std::string& name) const;

    [[nodiscard]] nlohmann::json jail(const std::string& name) const { return get("/v1/jails/" + name); }
    [[nodiscard]] std::string state(const std::string& name) const;
    [[nodiscard]] bool has_condition(const std::string& name, const std::string& type) const;
    /// Of the pause process, as the host counts.
    [[nodiscard]] pid_t pid(const std::string& name) const;
    [[nodiscard]] pid_t command_pid(const std::string& name) const;
    /// Without the prefix length: IPv4, then IPv6.
    [[nodiscard]] std::vector<std::string> addresses(const std::string& name) const;
    [[nodiscard]] std::string log(const std::string& name) const;

    [[nodiscard]] nlohmann::json exec(const std::string& name, const Argv& argv) const;
    /// A line of sh(1) in the jail: its standard output without the last newline. It must exit with 0.
    [[nodiscard]] std::string sh(const std::string& name, const std::string& line) const;

    /// The newest event's number.
    [[nodiscard]] std::int64_t last_event() const;
    /// Steps of all events drift.repaired after that number, about {"jail", "web"} or {"network", "default"}.
    [[nodiscard]] std::vector<std::string> repairs(std::int64_t after, const std::string& kind,
                                                   const std::string& name) const;

    [[nodiscard]] InstanceId instance() const;
    /// Read from the cgroup of its pause process.
    [[nodiscard]] JailId id(const std::string& name) const;
    /// Its network namespace beneath /run/netns.
    [[nodiscard]] std::string netns(const std::string& name) const;

private:
    const Daemon& daemon_;
};

/// What there is of jails while the daemon runs; it itself is no leftover.
std::string leftovers_beside(const TestHost& host, const Daemon& daemon);

/// Processes of this machine.
pid_t parent_of(pid_t process);
bool lives(pid_t process);
/// SIGKILL, and gone when it returns.
void kill_process(pid_t process);

}  // namespace jaild::test
