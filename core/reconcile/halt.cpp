#include "core/reconcile/halt.h"

namespace jaild::reconcile {

void Halt::expect(const std::vector<model::Jail>& rows) {
    const std::lock_guard lock(mutex_);
    for (const auto& row : rows) left_.emplace(row.id, row.name.text());
}

void Halt::stopped(JailId id) {
    const std::lock_guard lock(mutex_);
    left_.erase(id);
    if (left_.empty()) changed_.notify_all();
}

std::vector<std::string> Halt::wait(Milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return left_.empty(); });
    std::vector<std::string> names;
    for (const auto& [id, name] : left_) names.push_back(name);
    return names;
}

}  // namespace jaild::reconcile
