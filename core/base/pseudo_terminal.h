#pragma once

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild {

/// Of characters: tty_ioctl(4), TIOCSWINSZ.
struct TerminalSize {
    unsigned short rows = 24;
    unsigned short columns = 80;
    bool operator==(const TerminalSize&) const = default;
};

/// Both ends of a terminal of the host's; it is nobody's controlling terminal yet.
struct PseudoTerminal {
    UniqueFd master;
    UniqueFd slave;
    /// posix_openpt(3). Errc::exhausted and others by errno.
    static Result<PseudoTerminal> open(TerminalSize size);
};

}  // namespace jaild
