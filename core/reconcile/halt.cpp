#include "core/reconcile/halt.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ranges>

namespace jaild::reconcile {
namespace {

constexpr std::ptrdiff_t kMostNamed = 10;

}  // namespace

void Halt::expect(const std::vector<model::Jail>& rows) {
    const std::lock_guard lock(mutex_);
    all_ = rows.size();
    for (const auto& row : rows) left_.emplace(row.id, row.name.text());
}

void Halt::stopped(JailId id) {
    const std::lock_guard lock(mutex_);
    left_.erase(id);
    if (left_.empty()) changed_.notify_all();
}

std::vector<std::string> Halt::wait(Milliseconds patience) {
    const auto names = [this] {
        std::vector<std::string> all;
        for (const auto& [id, name] : left_) all.push_back(name);
        return all;
    };
    std::unique_lock lock(mutex_);
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto until = std::min(end, std::chrono::steady_clock::now() + kTell);
        if (changed_.wait_until(lock, until, [this] { return left_.empty(); }) || until == end) return names();
        spdlog::info("{} of {} jails are stopped; still to stop: {}", all_ - left_.size(), all_,
                     fmt::join(names() | std::views::take(kMostNamed), ", "));
    }
}

}  // namespace jaild::reconcile
