#pragma once

#include <string_view>

#include "core/kernel/shim/terminal.h"

namespace jaild::kernel {

/// Errc::conflict "no_terminal": the jail's own /dev/ptmx, which its root may replace, gave none.
Error no_terminal(std::string_view why);

/// runc makes the program's terminal inside the jail and sends its master to a UNIX socket (runc exec
/// --console-socket). Ours has no name by which anybody could come: it is bound and unlinked at once, and the runtime
/// reaches it by a descriptor of that file (open(2), O_PATH), which is its descriptor 0.
class ConsoleSocket : public Terminal {
public:
    /// For --console-socket.
    static constexpr const char* kPath = "/proc/self/fd/0";

    /// `directory` is one of ours, mode 0700. Not by two threads at a time in the same one.
    static Result<std::unique_ptr<Terminal>> create(int directory);
    Result<Request> request() override;
    /// no_terminal() when none came, or something else than the master of a pseudo terminal.
    Result<UniqueFd> master() override;

private:
    ConsoleSocket(UniqueFd listener, UniqueFd file) : listener_(std::move(listener)), file_(std::move(file)) {}
    UniqueFd listener_;
    UniqueFd file_;
};

}  // namespace jaild::kernel
