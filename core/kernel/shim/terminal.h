#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/pseudo_terminal.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/messages.h"

namespace jaild::kernel {

/// The terminal of one program that is on its way into a jail. Blocking, one thread. Nothing of it is left behind when
/// it is destroyed before master().
class Terminal {
public:
    virtual ~Terminal() = default;

    struct Request {
        shim::MessageType type = shim::MessageType::exec;
        std::vector<UniqueFd> descriptors{};
    };
    /// What the shim is asked for, with the launch as its body. Once.
    virtual Result<Request> request() = 0;
    /// The master, after the shim has answered `started`. Once.
    virtual Result<UniqueFd> master() = 0;
};

/// A terminal of the host's, which the shim makes the controlling one of the program's session.
class HostTerminal : public Terminal {
public:
    static Result<std::unique_ptr<Terminal>> create(TerminalSize size);
    Result<Request> request() override;
    Result<UniqueFd> master() override { return std::move(ends_.master); }

private:
    explicit HostTerminal(PseudoTerminal ends) : ends_(std::move(ends)) {}
    PseudoTerminal ends_;
};

}  // namespace jaild::kernel
