#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// What all ioctl(2)s on interfaces share; for this folder.
namespace jaild::kernel::freebsd {

/// A datagram socket of AF_LOCAL, AF_INET or AF_INET6 to make requests by.
Result<UniqueFd> request_socket(int family);

/// ENXIO and ENODEV of an interface are Errc::not_found, EEXIST is Errc::conflict "name_in_use".
Error interface_error(std::string_view op, int saved, const std::string& name);

/// A request on a socket of its own. `request` is its structure, which the kernel reads and writes.
Result<void> request(int family, std::string_view op, unsigned long code, void* argument, const std::string& name);

/// Puts a name into a field of IFNAMSIZ bytes; Errc::invalid when it does not fit.
Result<void> put_name(char* field, const std::string& name);

}  // namespace jaild::kernel::freebsd
