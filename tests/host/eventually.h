#pragma once

#include <chrono>
#include <functional>

namespace jaild::test {

/// Asks until it is true or the deadline has passed; for what the kernel or another process does in its own time.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline = std::chrono::seconds(10));

}  // namespace jaild::test
