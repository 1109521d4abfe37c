#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/supervisor_impl.h"

namespace jaild {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

Result<void> write_all(int target, std::string_view bytes, const std::function<bool()>& interrupted) {
    while (!bytes.empty()) {
        if (interrupted())
            return std::unexpected(
                Error{.code = Errc::busy, .op = "back_up", .detail = "nobody waits for it", .reason = "interrupted"});
        const auto written = ::write(target, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return std::unexpected(Error::from_errno("write", errno, "the backup's pipe"));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<void> Supervisor::back_up(const Caller& caller, int target, const std::function<bool()>& interrupted) {
    if (auto allowed = authorize(caller, Role::admin, "host.back_up"); !allowed)
        return std::unexpected(allowed.error());
    auto audited = impl_->store.write([&](store::Writer& writer) {
        return writer.append_audit({.principal = caller.principal,
                                    .action = "host.back_up",
                                    .object = impl_->facts.instance,
                                    .outcome = "accepted"});
    });
    if (!audited) return audited;
    const auto file = impl_->store.back_up();
    if (!file) return std::unexpected(file.error());
    std::string block(kBlock, '\0');
    for (;;) {
        const auto count = ::read(file->get(), block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(Error::from_errno("read", errno, "the backup"));
        if (count == 0) return {};
        const std::string_view bytes(block.data(), static_cast<std::size_t>(count));
        if (auto written = write_all(target, bytes, interrupted); !written) return written;
    }
}

}  // namespace jaild
