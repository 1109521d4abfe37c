#pragma once

#include <csignal>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace jaild::model {

/// The number of "TERM" or "SIGTERM" here; nothing for a name that FreeBSD and Linux do not share. Pure.
std::optional<int> signal_number(std::string_view name);

/// A signal to processes of a jail: {"signal": "TERM", "pids": [4711]}.
struct KillRequest {
    static constexpr std::size_t kMaxPids = 256;

    int signal = SIGTERM;
    std::vector<std::int64_t> pids{};  ///< the host's; none: all of the jail

    /// Errc::invalid "wrong_type", "invalid_value", "too_many", "unknown_field".
    static Result<KillRequest> parse(const nlohmann::json& value);
};

}  // namespace jaild::model
