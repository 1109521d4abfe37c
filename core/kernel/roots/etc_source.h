#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

/// How the host's /etc is read for template `host`. Blocking.
namespace jaild::kernel {

inline constexpr std::size_t kFileLimit = 4 << 20;  ///< a larger file is left out
inline constexpr std::size_t kEntryLimit = 8192;    ///< of one directory; the rest is left out

/// The names in an open directory, in no order.
Result<std::vector<std::string>> names_in(int directory);
Result<std::string> read_link(int directory, const std::string& name);
/// PEM's (RFC 7468 §10): such a file never gets into a jail.
bool holds_private_key(std::string_view content);

}  // namespace jaild::kernel
