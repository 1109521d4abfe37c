#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::kernel {

using Deadline = std::chrono::steady_clock::time_point;

/// A pid is used again; with its start time (shim::start_time) it means one process.
struct ProcessIdentity {
    std::int64_t pid = 0;
    std::int64_t started = 0;
};

/// A held process (pidfd_open(2)): a signal through it cannot reach a later process of the same pid. Any thread.
class ProcessHandle {
public:
    /// Nothing when there is no such process or when it has ended. An Error (no descriptors) says nothing about it.
    static Result<std::optional<ProcessHandle>> open(const ProcessIdentity& process);

    void kill(int signal) const;
    /// False when it still lives at the deadline; one in the past only asks. Blocking.
    [[nodiscard]] bool wait(Deadline deadline) const;

private:
    explicit ProcessHandle(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace jaild::kernel
