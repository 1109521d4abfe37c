#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Who holds a jail: the file `lock` in the shim's directory. It is a record lock (fcntl(2) F_SETLK), not flock(2): it
/// can be asked about without being taken, so a look never gets in a starting shim's way; the kernel itself names the
/// holder; and no child inherits it.
namespace jaild::shim {

struct Holder {
    pid_t pid = 0;
    std::int64_t start_time = 0;
};

/// Held as long as the descriptor is open; the process must not open this file a second time (closing any descriptor of
/// it gives up a record lock). Errc::busy "held" when another process has it.
Result<UniqueFd> take_lock(int directory);
/// The living process that holds the lock, if the kernel's lock, the file's content and the process's start agree. An
/// Error (no descriptors, no memory) is not a no.
Result<std::optional<Holder>> holder_of(int directory);

}  // namespace jaild::shim
