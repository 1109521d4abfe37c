#include "tests/host/eventually.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace jaild::test {

std::chrono::milliseconds patience(std::chrono::milliseconds usual) {
    const char* const factor = std::getenv("JAILD_TEST_PATIENCE");
    return usual * std::max(factor == nullptr ? 1 : std::atoi(factor), 1);
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + patience(deadline);
    for (auto pause = std::chrono::milliseconds(1);; pause = std::min(pause * 2, std::chrono::milliseconds(100))) {
        if (condition()) return true;
        if (Clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace jaild::test
