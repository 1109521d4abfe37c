#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/policy.h"

namespace jaild::kernel::freebsd {

/// Who has a port of the host that is to be published, by what `sockstat -l -n -q` prints: "sshd (pid 812)". A socket
/// of a loopback address is in nobody's way: what comes to it is not redirected. Pure.
std::optional<std::string> listener(std::string_view sockets, const model::Publish& publish);

}  // namespace jaild::kernel::freebsd
