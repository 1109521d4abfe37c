#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// UNIX stream sockets by a name in a held directory: sun_path has 104 (FreeBSD) or 108 bytes (Linux), a state
/// directory may be longer. Linux goes through /proc/self/fd, FreeBSD has bindat(2) and connectat(2).
namespace jaild::shim {

/// Non-blocking, mode 0600; a socket of that name is replaced.
Result<UniqueFd> listen_in(int directory, const std::string& name);
/// Non-blocking, connected at once. Errc::not_found: no socket; Errc::busy: nobody listens, or too many wait already.
Result<UniqueFd> connect_in(int directory, const std::string& name);
/// The next connection of our own user, non-blocking; others are closed. An empty one: none waits.
UniqueFd accept_own(int listener);

}  // namespace jaild::shim
