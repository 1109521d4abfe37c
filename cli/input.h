#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::cli {

/// Standard input to its end, whatever it is: a file, a pipe, a terminal. Errc::exhausted beyond `limit` bytes.
/// Blocking.
Result<std::string> read_standard_input(std::size_t limit);

/// The next piece of it, for Request::upload; empty at its end. Blocking.
Result<std::string> read_standard_input_piece();

}  // namespace jaild::cli
