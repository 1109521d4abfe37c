#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// The one thing about probes that each system does its own way.
namespace jaild::test {

/// A socket that belongs to the network of that name (net_probe.h), and can be used from anywhere: SOCK_STREAM of TCP,
/// SOCK_DGRAM of UDP. Non-blocking.
Result<UniqueFd> socket_in(const std::string& network, int family, int type);
/// bind(2) will take addresses that no interface there has.
void allow_foreign_source(int socket, int family);

}  // namespace jaild::test
