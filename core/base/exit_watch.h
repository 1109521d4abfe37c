#pragma once

#include <sys/types.h>

#include "core/base/unique_fd.h"

namespace jaild {

/// A descriptor that poll(2) finds readable once a process has ended: pidfd_open(2) on Linux, a kqueue(2) with
/// EVFILT_PROC on FreeBSD. For a child of ours that nobody has waited for yet, so that its pid means no other.
class ExitWatch {
public:
    static Result<ExitWatch> create(pid_t pid);
    [[nodiscard]] int descriptor() const { return fd_.get(); }

private:
    explicit ExitWatch(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace jaild
