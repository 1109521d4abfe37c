#include "core/kernel/freebsd/system/frames.h"

#include <sys/types.h>
// after <sys/types.h>
#include <fcntl.h>
#include <net/bpf.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/system/request.h"

namespace jaild::kernel::freebsd {

Result<void> send_frame(const std::string& interface, const std::string& frame) {
    const UniqueFd device(::open("/dev/bpf", O_RDWR | O_CLOEXEC));
    if (!device) {
        auto error = Error::from_errno("open", errno, "/dev/bpf");
        if (errno == ENOENT) error.reason = "bpf_missing";
        return std::unexpected(std::move(error));
    }
    ifreq asked{};
    if (auto put = put_name(asked.ifr_name, interface); !put) return put;
    if (::ioctl(device.get(), BIOCSETIF, &asked) != 0)
        return std::unexpected(interface_error("BIOCSETIF", errno, interface));
    // The sender's address stays as it is in the frame.
    unsigned whole = 1;
    if (::ioctl(device.get(), BIOCSHDRCMPLT, &whole) != 0)
        return std::unexpected(interface_error("BIOCSHDRCMPLT", errno, interface));
    if (::write(device.get(), frame.data(), frame.size()) != static_cast<ssize_t>(frame.size()))
        return std::unexpected(Error::from_errno("write", errno, "a frame by " + interface));
    return {};
}

}  // namespace jaild::kernel::freebsd
