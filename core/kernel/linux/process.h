#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::kernel {

using Deadline = std::chrono::steady_clock::time_point;

/// A held process (pidfd_open(2)): a signal through it cannot reach a later process of the same pid. Any thread.
class ProcessHandle {
public:
    /// Nothing when no process has this pid and start time (shim::start_time) or when it has ended. An Error (no
    /// descriptors) says nothing about it.
    static Result<std::optional<ProcessHandle>> open(std::int64_t pid, std::int64_t started);

    void kill(int signal) const;
    /// False when it still lives at the deadline; one in the past only asks. Blocking.
    [[nodiscard]] bool wait(Deadline deadline) const;

private:
    explicit ProcessHandle(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace jaild::kernel
