#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace jaild::model {

enum class CheckState { ok, warning, problem };
std::string_view to_string(CheckState state);

/// One line of `jaildctl doctor`.
struct Check {
    std::string name;  ///< "ip_forwarding"
    CheckState state = CheckState::ok;
    std::string detail;  ///< what was found
    std::string remedy;  ///< the exact line that mends it, or empty
};

/// What this kernel and this build can do.
struct HostInfo {
    std::string os;  ///< "FreeBSD" | "Linux" | "memory"
    std::string release;
    std::string machine;
    std::string kernel_driver;  ///< "freebsd" | "linux" | "memory"
    std::string instance;
    std::string version;  ///< of jaild
    bool tls = false;     ///< this build can serve TLS
    std::vector<std::string> network_modes;
    std::vector<std::string> root_kinds;
    bool limits = false;      ///< can be enforced
    bool parameters = false;  ///< jail(8) parameters and a devfs ruleset can be set
    std::vector<Check> checks;
    std::size_t jails = 0;
    std::size_t running = 0;
};
nlohmann::json to_json(const HostInfo& host);
nlohmann::json to_json(const Check& check);

}  // namespace jaild::model
