#include "core/kernel/shim/shim_program.h"

namespace jaild::kernel {
namespace {

constexpr Milliseconds kForEver{std::chrono::hours{24 * 365}};

}  // namespace

Result<ProgramExit> ShimProgram::wait() {
    for (;;) {
        const auto frame = connection_.receive(kForEver);
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
