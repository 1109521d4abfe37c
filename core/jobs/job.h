#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/model/operation.h"

namespace jaild::jobs {

/// Long work that is under way: what others may see of it, and how they end it. Thread-safe.
class Job {
public:
    void interrupt() { interrupted_ = true; }
    [[nodiscard]] bool interrupted() const { return interrupted_; }

    void show(model::Progress progress);
    void add_step(std::string step);
    [[nodiscard]] std::optional<model::Progress> progress() const;
    /// The last 64.
    [[nodiscard]] std::vector<std::string> steps() const;

private:
    std::atomic<bool> interrupted_ = false;
    mutable std::mutex mutex_;  ///< of the two below
    std::optional<model::Progress> progress_;
    std::vector<std::string> steps_;
};

}  // namespace jaild::jobs
