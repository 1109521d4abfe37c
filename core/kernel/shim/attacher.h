#pragma once

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/processes.h"
#include "core/kernel/shim/protocol/messages.h"
#include "core/kernel/shim/terminal.h"

namespace jaild::kernel {

/// How a program gets into a jail of this kernel: the one part of running programs that differs. Blocking, thread-safe.
/// The fields of its errors point into Program: /argv/0, /user, /directory, /environment.
class Attacher {
public:
    virtual ~Attacher() = default;
    /// What the jail's shim is told. Errc::invalid: "user_not_found", "invalid_program".
    virtual Result<shim::Launch> prepare(JailId id, const Program& program) = 0;
    /// For a program of prepare() that wants one. `shim` is the directory of the jail's shim.
    virtual Result<std::unique_ptr<Terminal>> open_terminal(int shim, TerminalSize size) = 0;
    /// Why it did not work. Errc::invalid when the program is to blame: "program_not_found", "program_not_executable",
    /// "directory_not_found", "user_not_found".
    [[nodiscard]] virtual Error explain(const Program& program, const shim::Refused& refused) const = 0;
};

/// The part of explain() that all kernels share: what the shim found itself.
Error explain_refusal(const Program& program, const shim::Refused& refused);

/// An error of explain() or prepare() as a shell's exit code: 127 not found, 126 not executable, 125 everything else.
int exit_code_of(const Error& error);

Error program_not_found(const Program& program);
Error program_not_executable(const Program& program, const std::string& why);
Error directory_not_found(const Program& program, const std::string& why);
Error user_not_found(const Program& program);

/// PATH, HOME, USER, SHELL and TERM as given here, replaced and completed by the program's own: "NAME=value".
struct LoginDefaults {
    std::string path;
    std::string home;
    std::string user;
    std::string shell;
};
std::vector<std::string> environment_of(const Program& program, const LoginDefaults& defaults);
/// Errc::invalid "invalid_program": no argv, a NUL anywhere, an environment name with "=" or empty, a relative
/// directory.
Result<void> check_program(const Program& program);

}  // namespace jaild::kernel
