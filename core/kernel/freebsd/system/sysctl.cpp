#include "core/kernel/freebsd/system/sysctl.h"

#include <sys/types.h>
// after <sys/types.h>
#include <sys/sysctl.h>

#include <array>
#include <cerrno>

namespace jaild::kernel::freebsd::sysctl {

Result<std::optional<int>> number(const char* name) {
    int value = 0;
    std::size_t size = sizeof value;
    if (::sysctlbyname(name, &value, &size, nullptr, 0) == 0) return value;
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(Error::from_errno("sysctl", errno, name));
}

Result<std::optional<std::string>> text(const char* name) {
    std::array<char, 1024> value{};
    std::size_t size = value.size() - 1;
    if (::sysctlbyname(name, value.data(), &size, nullptr, 0) == 0) return std::string(value.data());
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(Error::from_errno("sysctl", errno, name));
}

Result<std::optional<std::string>> bytes(const char* name) {
    std::array<char, 1024> value{};
    std::size_t size = value.size();
    if (::sysctlbyname(name, value.data(), &size, nullptr, 0) == 0) return std::string(value.data(), size);
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(Error::from_errno("sysctl", errno, name));
}

Result<void> set(const char* name, int value) {
    if (::sysctlbyname(name, nullptr, nullptr, &value, sizeof value) == 0) return {};
    return std::unexpected(Error::from_errno("sysctl", errno, name));
}

}  // namespace jaild::kernel::freebsd::sysctl
