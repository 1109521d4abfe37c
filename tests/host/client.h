#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/host/daemon.h"
#include "tests/host/processes.h"

namespace jaild::test {

/// One start of a jail: its pause process; on FreeBSD its jid, none of which is given twice until all were.
struct JailLife {
    std::int64_t number = 0;
    bool operator==(const JailLife&) const = default;
};
/// The kernel has it, and it is not dying.
bool lives(const JailLife& life);

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
    /// What the kernel tells this start of the jail from the next one by, and jaild says the same of it.
    [[nodiscard]] JailLife life(const std::string& name) const;
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
    /// Read from the kernel: the cgroup of its pause process; the path of its root on FreeBSD.
    [[nodiscard]] JailId id(const std::string& name) const;
    /// What Listener and connect_from() know its network by.
    [[nodiscard]] std::string network_of(const std::string& name) const;
    /// The shim of a jail with a command, which is the command's parent.
    [[nodiscard]] pid_t shim(const std::string& name) const;

private:
    const Daemon& daemon_;
};

/// What there is of jails while the daemon runs; it itself is no leftover.
std::string leftovers_beside(const TestHost& host, const Daemon& daemon);

}  // namespace jaild::test
