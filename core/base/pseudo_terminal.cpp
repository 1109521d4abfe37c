#include "core/base/pseudo_terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <cerrno>

namespace jaild {

Result<PseudoTerminal> PseudoTerminal::open(TerminalSize size) {
    PseudoTerminal terminal;
    // O_NOCTTY at both ends: a session leader without a terminal would get this one (Linux).
    terminal.master = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.master) return std::unexpected(Error::from_errno("posix_openpt", errno));
    const int master = terminal.master.get();
    std::array<char, 128> name{};
    if (::grantpt(master) != 0 || ::unlockpt(master) != 0) return std::unexpected(Error::from_errno("unlockpt", errno));
    if (::ptsname_r(master, name.data(), name.size()) != 0)
        return std::unexpected(Error::from_errno("ptsname_r", errno));
    terminal.slave = UniqueFd(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave) return std::unexpected(Error::from_errno("open", errno, name.data()));
    const winsize window{.ws_row = size.rows, .ws_col = size.columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::ioctl(terminal.slave.get(), TIOCSWINSZ, &window) != 0)
        return std::unexpected(Error::from_errno("ioctl", errno, "TIOCSWINSZ"));
    return terminal;
}

}  // namespace jaild
