#include "core/kernel/shim/terminal.h"

#include <fcntl.h>

#include <cerrno>

namespace jaild::kernel {

Result<std::unique_ptr<Terminal>> HostTerminal::create(TerminalSize size) {
    auto ends = PseudoTerminal::open(size);
    if (!ends) return std::unexpected(ends.error());
    return std::unique_ptr<Terminal>(new HostTerminal(*std::move(ends)));
}

Result<Terminal::Request> HostTerminal::request() {
    Request request{.type = shim::MessageType::exec_terminal};
    for (int i = 0; i < 2; ++i) {
        request.descriptors.emplace_back(::fcntl(ends_.slave.get(), F_DUPFD_CLOEXEC, 0));
        if (!request.descriptors.back()) return std::unexpected(Error::from_errno("fcntl", errno, "F_DUPFD_CLOEXEC"));
    }
    // None of them stays here: the master reads the end of file when the program's own are closed.
    request.descriptors.push_back(std::move(ends_.slave));
    return request;
}

}  // namespace jaild::kernel
