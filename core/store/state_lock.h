#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::store {

/// The right to be the one daemon of a state directory: an flock(2) on `<database>.lock`, held for life. The file
/// stays when the lock goes: removing it would let two daemons lock two files of the same name.
class StateLock {
public:
    /// Errc::conflict "state_in_use" names the process that holds it. One that was killed may leave it to its children
    /// for a moment: that is waited for, up to 10 s.
    static Result<StateLock> acquire(const std::filesystem::path& database);

private:
    explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace jaild::store
