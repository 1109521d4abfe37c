#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "core/model/operation.h"
#include "core/model/template.h"

namespace jaild::templates {

/// An import or a removal that is under way: what others may see of it. Thread-safe.
class Job {
public:
    explicit Job(model::Template subject) : subject_(std::move(subject)) {}

    /// As it was when the job began.
    [[nodiscard]] const model::Template& subject() const { return subject_; }

    void interrupt() { interrupted_ = true; }
    [[nodiscard]] bool interrupted() const { return interrupted_; }

    void show(model::Progress progress);
    void add_step(std::string step);
    [[nodiscard]] std::optional<model::Progress> progress() const;
    /// The last 64.
    [[nodiscard]] std::vector<std::string> steps() const;

private:
    const model::Template subject_;
    std::atomic<bool> interrupted_ = false;
    mutable std::mutex mutex_;  ///< of the two below
    std::optional<model::Progress> progress_;
    std::vector<std::string> steps_;
};

/// Errc::conflict "interrupted": what an interrupted job ends with.
Error interrupted_error();

}  // namespace jaild::templates
