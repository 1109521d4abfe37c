#pragma once

#include <unistd.h>

#include <utility>

#include "core/base/error.h"

namespace jaild {

/// Owns a file descriptor and closes it. Every descriptor in jaild is opened O_CLOEXEC.
class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// For one of many that are kept for long: moved beyond those that select(2) can name, where the process may have so
/// many. Libraries that still use it (libnftables does) end the process when they are given a higher one; the low ones
/// are theirs. O_CLOEXEC.
UniqueFd out_of_the_way(UniqueFd fd);

/// The two ends of pipe2(2), O_CLOEXEC.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
    static Result<Pipe> create();
};

}  // namespace jaild
