#include "core/kernel/linux/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/unique_fd.h"

namespace jaild::kernel::sysctl {
namespace {

Result<UniqueFd> open(const std::string& name, int flags) {
    const auto path = "/proc/sys/" + name;
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, path));
    return fd;
}

}  // namespace

Result<std::string> read(const std::string& name) {
    const auto fd = open(name, O_RDONLY);
    if (!fd) return std::unexpected(fd.error());
    std::array<char, 256> buffer{};
    const ssize_t size = ::read(fd->get(), buffer.data(), buffer.size());
    if (size < 0) return std::unexpected(Error::from_errno("read", errno, "/proc/sys/" + name));
    std::string value(buffer.data(), static_cast<std::size_t>(size));
    while (value.ends_with('\n')) value.pop_back();
    return value;
}

Result<void> set(const std::string& name, const std::string& value) {
    const auto now = read(name);
    if (!now) return std::unexpected(now.error());
    if (*now == value) return {};
    const auto fd = open(name, O_WRONLY);
    if (!fd) return std::unexpected(fd.error());
    if (::write(fd->get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
        return std::unexpected(Error::from_errno("write", errno, "/proc/sys/" + name));
    }
    return {};
}

}  // namespace jaild::kernel::sysctl
