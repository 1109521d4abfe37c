#include "core/base/clock.h"

namespace jaild {
namespace {

class SystemClock final : public Clock {
public:
    Monotonic monotonic() override { return std::chrono::steady_clock::now(); }
    UtcTime utc() override {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return UtcTime{std::chrono::floor<std::chrono::milliseconds>(now).count()};
    }
};

}  // namespace

Clock& Clock::system() {
    static SystemClock clock;
    return clock;
}

}  // namespace jaild
