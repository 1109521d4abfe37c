#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "api/http/limits.h"
#include "core/kernel/processes.h"

namespace jaild::api::v1 {

/// What POST …/exec asks for. User and directory are empty where the jail's own `exec` settings apply.
struct ExecOrder {
    kernel::Program program;
    std::optional<std::string> input{};  ///< of a program with a terminal: what is typed there
    Milliseconds timeout{};
    std::size_t output_limit = 0;  ///< bytes of each stream
};

/// Errc::invalid with the JSON pointer of the wrong field.
Result<ExecOrder> parse_exec_order(const nlohmann::json& body, const Limits& limits);

/// {"rows", "columns"}, at "/terminal" or by itself.
Result<TerminalSize> parse_terminal_size(const nlohmann::json& value);

}  // namespace jaild::api::v1
