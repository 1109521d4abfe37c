#include "core/kernel/identity.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#ifdef __FreeBSD__
#include <sys/types.h>
// sysctl.h wants types.h first.
#include <sys/sysctl.h>
#else
#include "core/base/files.h"
#endif

namespace jaild::kernel {
namespace {

constexpr std::string_view kNoHostUuid = "00000000-0000-0000-0000-000000000000";

Result<std::string> by_hostname() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return std::unexpected(Error::from_errno("gethostname", errno));
    return "hostname:" + std::string(name.data());
}

}  // namespace

#ifdef __FreeBSD__
Result<std::string> host_identity() {
    std::array<char, 64> uuid{};
    std::size_t length = uuid.size();
    if (::sysctlbyname("kern.hostuuid", uuid.data(), &length, nullptr, 0) != 0)
        return std::unexpected(Error::from_errno("sysctl", errno, "kern.hostuuid"));
    std::string text(uuid.data());
    if (text.empty() || text == kNoHostUuid) return by_hostname();
    return text;
}
#else
Result<std::string> host_identity() {
    for (const auto* path : {"/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid"}) {
        auto text = files::read(path, 256);
        if (!text) continue;
        while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
        if (!text->empty() && *text != "uninitialized" && *text != kNoHostUuid) return text;
    }
    return by_hostname();
}
#endif

}  // namespace jaild::kernel
