#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/base/units.h"
#include "core/kernel/shim/protocol/channel.h"

namespace jaild::kernel {

/// The daemon's end of one connection to a shim. Blocking with deadlines. One thread may receive while another sends.
class Connection {
public:
    /// Connects and greets. `directory` is the shim's. Errc::kernel "shim_gone" when none answers there.
    static Result<Connection> open(int directory);

    [[nodiscard]] int descriptor() const { return channel_.descriptor(); }

    /// Errc::exhausted "program_too_large" for what no frame holds.
    Result<void> send(shim::MessageType type, std::string_view body, std::vector<UniqueFd> descriptors = {});
    /// The next frame. Errc::busy "shim_not_answering" after `patience`; Errc::kernel "lost" when the shim goes away.
    /// A `failed` answer is an Error too.
    Result<shim::Frame> receive(Milliseconds patience);
    /// A frame that came along with the last one: poll(2) knows nothing of it. Never reads.
    std::optional<shim::Frame> buffered() { return channel_.next(); }
    /// Both.
    Result<shim::Frame> ask(shim::MessageType type, std::string_view body, Milliseconds patience);

private:
    explicit Connection(UniqueFd socket) : channel_(std::move(socket)) {}
    shim::Channel channel_;
};

/// How long a shim may take for what needs no program of the jail's; it fsyncs, and the disk may be slow.
inline constexpr Milliseconds kShimPatience{30'000};

}  // namespace jaild::kernel
