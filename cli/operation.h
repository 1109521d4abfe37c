#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/context.h"

namespace jaild::cli {

/// Until the operation has ended, with its progress on a terminal. Null, and `exit` set, when nobody can say.
nlohmann::json wait_for_operation(Context& context, const std::string& id, int& exit);

}  // namespace jaild::cli
