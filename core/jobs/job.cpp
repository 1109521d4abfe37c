#include "core/jobs/job.h"

namespace jaild::jobs {
namespace {
constexpr std::size_t kSteps = 64;
}

void Job::show(model::Progress progress) {
    const std::lock_guard lock(mutex_);
    progress_ = std::move(progress);
}

void Job::add_step(std::string step) {
    const std::lock_guard lock(mutex_);
    if (steps_.size() == kSteps) steps_.erase(steps_.begin());
    steps_.push_back(std::move(step));
}

std::optional<model::Progress> Job::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

std::vector<std::string> Job::steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
}

}  // namespace jaild::jobs
