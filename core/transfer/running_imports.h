#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "core/base/ids.h"
#include "core/jobs/job.h"

namespace jaild::transfer {

/// Imports that are under way, by the jail that each becomes. Thread-safe.
class RunningImports {
public:
    std::shared_ptr<jobs::Job> add(JailId id) {
        auto job = std::make_shared<jobs::Job>();
        const std::lock_guard lock(mutex_);
        jobs_[id] = job;
        return job;
    }
    void drop(JailId id) {
        const std::lock_guard lock(mutex_);
        jobs_.erase(id);
    }
    /// It ends soon, with nothing left of it. Nothing for a jail that is not imported.
    void interrupt(JailId id) {
        if (const auto job = find(id)) job->interrupt();
    }
    [[nodiscard]] std::optional<model::Progress> progress(JailId id) const {
        const auto job = find(id);
        return job ? job->progress() : std::nullopt;
    }

private:
    [[nodiscard]] std::shared_ptr<jobs::Job> find(JailId id) const {
        const std::lock_guard lock(mutex_);
        const auto known = jobs_.find(id);
        return known == jobs_.end() ? nullptr : known->second;
    }

    mutable std::mutex mutex_;
    std::map<JailId, std::shared_ptr<jobs::Job>> jobs_;
};

}  // namespace jaild::transfer
