#include "core/kernel/linux/reach.h"

#include "core/kernel/linux/netns.h"

namespace jaild::kernel {

Result<UniqueFd> LinuxReach::connect(JailId id, const IpAddress& address, std::uint16_t port) {
    const auto space = netns::open(layout_.container(id));
    if (!space) return std::unexpected(space.error());
    if (!*space) return begin_connection(address, port);
    Result<UniqueFd> made;
    auto visited = netns::run_in((*space)->get(), [&]() -> Result<void> {
        made = begin_connection(address, port);
        return {};
    });
    if (!visited) return std::unexpected(visited.error());
    return made;
}

}  // namespace jaild::kernel
