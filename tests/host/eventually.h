#pragma once

#include <chrono>
#include <functional>

namespace jaild::test {

/// How long a test waits at most for what takes `usual` at most. The environment's JAILD_TEST_PATIENCE is a factor, for
/// machines that are emulated or overloaded.
std::chrono::milliseconds patience(std::chrono::milliseconds usual);

/// Asks until it is true or the deadline, with patience(), has passed; for what the kernel or another process does in
/// its own time.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline = std::chrono::seconds(10));

}  // namespace jaild::test
