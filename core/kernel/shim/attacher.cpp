#include "core/kernel/shim/attacher.h"

#include <cerrno>
#include <cstring>

namespace jaild::kernel {
namespace {

Error invalid_program(std::string field, std::string detail) {
    return Error::invalid("invalid_program", std::move(field), std::move(detail));
}

bool has_nul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

}  // namespace

Error program_not_found(const Program& program) {
    return Error::invalid("program_not_found", "/argv/0", "the jail has no program " + program.argv.front());
}

Error program_not_executable(const Program& program, const std::string& why) {
    return Error::invalid("program_not_executable", "/argv/0", program.argv.front() + " cannot be executed: " + why);
}

Error directory_not_found(const Program& program, const std::string& why) {
    return Error::invalid("directory_not_found", "/directory",
                          "the directory " + program.directory + " cannot be entered in the jail: " + why);
}

Error user_not_found(const Program& program) {
    return Error::invalid("user_not_found", "/user", "the jail's passwd has no user " + program.user);
}

Error explain_refusal(const Program& program, const shim::Refused& refused) {
    const int number = static_cast<int>(refused.code);
    const auto by_kernel = [&](std::string_view op) { return Error::from_errno(op, number, refused.text); };
    switch (refused.stage) {
        case shim::Stage::execute:
            if (number == ENOENT || number == ENOTDIR) return program_not_found(program);
            if (number == EACCES || number == ENOEXEC || number == EISDIR || number == ELOOP || number == EPERM)
                return program_not_executable(program, std::strerror(number));
            if (number == E2BIG)
                return Error::invalid("program_too_large", "/argv",
                                      "arguments and environment are larger than the kernel takes");
            return by_kernel("execve");
        case shim::Stage::attach:
            return by_kernel("jail_attach");
        case shim::Stage::user:
            return user_not_found(program);
        case shim::Stage::directory:
            return directory_not_found(program, std::strerror(number));
        case shim::Stage::timeout:
            return Error{.code = Errc::busy,
                         .op = "attach",
                         .detail = "the program did not start in time " + refused.text,
                         .reason = "attach_timeout"};
        case shim::Stage::state:
            return Error{.code = Errc::exhausted,
                         .op = "write_state",
                         .sys = number,
                         .detail = "the command was not started, for it could not be recorded: " + refused.text};
        case shim::Stage::terminal:
            return by_kernel("TIOCSCTTY");
        case shim::Stage::helper:
            break;
    }
    return Error{.code = Errc::kernel, .op = "attach", .detail = refused.text, .reason = "attach_failed"};
}

int exit_code_of(const Error& error) {
    if (error.reason == "program_not_found") return 127;
    return error.reason == "program_not_executable" ? 126 : 125;
}

std::vector<std::string> environment_of(const Program& program, const LoginDefaults& defaults) {
    std::map<std::string, std::string> all{{"PATH", defaults.path},
                                           {"HOME", defaults.home},
                                           {"USER", defaults.user},
                                           {"SHELL", defaults.shell},
                                           {"TERM", "dumb"}};
    for (const auto& [name, value] : program.environment) all[name] = value;
    std::vector<std::string> result;
    result.reserve(all.size());
    for (const auto& [name, value] : all) result.push_back(name + "=" + value);
    return result;
}

Result<void> check_program(const Program& program) {
    if (program.argv.empty() || program.argv.front().empty())
        return std::unexpected(invalid_program("/argv", "there is no program"));
    for (std::size_t i = 0; i < program.argv.size(); ++i)
        if (has_nul(program.argv[i]))
            return std::unexpected(invalid_program("/argv/" + std::to_string(i), "an argument holds a NUL"));
    for (const auto& [name, value] : program.environment)
        if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value))
            return std::unexpected(
                invalid_program("/environment", "a name is empty or holds \"=\", or something a NUL"));
    if (has_nul(program.user) || program.user.empty())
        return std::unexpected(invalid_program("/user", "a user has a name or a number"));
    if (has_nul(program.directory) || !program.directory.starts_with('/'))
        return std::unexpected(invalid_program("/directory", "a directory begins with \"/\""));
    return {};
}

}  // namespace jaild::kernel
