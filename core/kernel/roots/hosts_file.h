#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/kernel/roots.h"

/// A jail's hosts(5): lines of ours between two marks, and whatever its own root wrote around them.
namespace jaild::kernel::hosts_file {

/// A file that is larger holds more than names: it is replaced.
inline constexpr std::size_t kLimit = 1 << 20;

/// Our lines with their marks: localhost, the jail's own addresses with its hostname and name, its neighbours. Where
/// the network stack is the host's: `host`, which is the host's own file, and the jail's names. Pure.
std::string block(const RootParameters& parameters, std::string_view host = {});
/// `previous` with our lines replaced, or put before all others when it has none of ours. Pure.
std::string merged(std::string_view previous, std::string_view block);

/// Writes `hosts` into the held directory `etc`, which belongs to the jail's root: nothing is followed, and what is not
/// a regular file gives way. A file that is right already is not touched. Blocking.
Result<void> write(int etc, const RootParameters& parameters);
/// The same beneath the held root of a jail that runs. Errc::not_found without an /etc.
Result<void> write_beneath(int root, const RootParameters& parameters);

}  // namespace jaild::kernel::hosts_file
