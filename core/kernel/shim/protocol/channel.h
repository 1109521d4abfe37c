#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/messages.h"

namespace jaild::shim {

struct Frame {
    MessageType type{};
    std::string body;
};

/// Frames and descriptors over one non-blocking stream socket; nothing here ever waits. One thread.
class Channel {
public:
    enum class State { open, closed };
    static constexpr std::size_t kMaxDescriptors = 3;

    /// `socket` gets O_NONBLOCK.
    explicit Channel(UniqueFd socket);

    [[nodiscard]] int descriptor() const { return socket_.get(); }

    /// Reads what is there. `closed`: the other side is gone, or sent what is no frame, or more than two whole frames
    /// that nobody took; next() still gives what came before.
    State receive();
    /// The next whole frame.
    std::optional<Frame> next();
    /// Descriptors that came with the frames so far, at most kMaxDescriptors; more are closed.
    std::vector<UniqueFd> take_descriptors();

    /// False for a frame beyond kMaxFrame, which is not sent. The descriptors travel with this frame.
    [[nodiscard]] bool queue(MessageType type, std::string_view body, std::vector<UniqueFd> descriptors = {});
    /// Writes what the socket takes.
    State send();
    [[nodiscard]] std::size_t unsent() const { return out_.size(); }

private:
    [[nodiscard]] State judge() const;
    void keep_descriptors(const void* control_message);
    [[nodiscard]] std::ptrdiff_t send_some();

    UniqueFd socket_;
    std::string in_;
    std::string out_;
    std::vector<UniqueFd> received_;
    std::vector<UniqueFd> sending_;
    std::size_t sending_at_ = 0;  ///< offset in out_ of the frame that `sending_` belongs to
};

}  // namespace jaild::shim
