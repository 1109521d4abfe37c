#include "core/kernel/freebsd/system/request.h"

#include <sys/types.h>
// after <sys/types.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace jaild::kernel::freebsd {

Result<UniqueFd> request_socket(int family) {
    UniqueFd made(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!made) return std::unexpected(Error::from_errno("socket", errno));
    return made;
}

Error interface_error(std::string_view op, int saved, const std::string& name) {
    auto error = Error::from_errno(op, saved, name);
    if (saved == ENXIO || saved == ENODEV) error.code = Errc::not_found;
    if (saved == EEXIST) {
        error.code = Errc::conflict;
        error.reason = "name_in_use";
    }
    return error;
}

Result<void> request(int family, std::string_view op, unsigned long code, void* argument, const std::string& name) {
    const auto socket = request_socket(family);
    if (!socket) return std::unexpected(socket.error());
    if (::ioctl(socket->get(), code, argument) != 0) return std::unexpected(interface_error(op, errno, name));
    return {};
}

Result<void> put_name(char* field, const std::string& name) {
    if (name.empty() || name.size() >= IFNAMSIZ)
        return std::unexpected(Error::invalid("invalid_interface", {}, "no name of an interface: " + name));
    std::memset(field, 0, IFNAMSIZ);
    std::memcpy(field, name.data(), name.size());
    return {};
}

}  // namespace jaild::kernel::freebsd
