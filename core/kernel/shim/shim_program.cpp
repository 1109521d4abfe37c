#include "core/kernel/shim/shim_program.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace jaild::kernel {
namespace {

constexpr Milliseconds kForEver{std::chrono::hours{24 * 365}};

}  // namespace

Result<std::unique_ptr<RunningProgram>> ShimProgram::create(Connection connection, UniqueFd terminal) {
    std::unique_ptr<ShimProgram> program(new ShimProgram(std::move(connection), std::move(terminal)));
    while (auto frame = program->connection_.buffered()) {
        if (frame->type != shim::MessageType::ended) continue;
        program->early_ = std::move(frame);
        break;
    }
    if (!program->early_) return program;
    // The socket has nothing more to read: a pipe with a byte in it stands for it.
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    if (::write(pipe->write.get(), "", 1) != 1) return std::unexpected(Error::from_errno("write", errno));
    program->known_ = std::move(pipe->read);
    return program;
}

Result<ProgramExit> ShimProgram::wait() {
    for (;;) {
        auto frame = early_ ? Result<shim::Frame>(*std::exchange(early_, std::nullopt)) : connection_.receive(kForEver);
        if (!frame) return std::unexpected(frame.error());
        if (frame->type != shim::MessageType::ended) continue;  // a later shim may have more to say
        const auto ended = shim::Ended::decode(frame->body);
        if (!ended)
            return std::unexpected(Error{.code = Errc::corrupt, .op = "shim", .detail = "an exit that cannot be read"});
        return ProgramExit{.exit_code = static_cast<int>(ended->exit_code), .signal = static_cast<int>(ended->signal)};
    }
}

Result<void> ShimProgram::kill(int signal) {
    return connection_.send(shim::MessageType::signal, shim::Signal{.number = signal}.encode());
}

}  // namespace jaild::kernel
