#include "core/kernel/linux/runc_attacher.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/files.h"
#include "core/base/random.h"
#include "core/kernel/linux/console_socket.h"
#include "core/kernel/linux/file_limits.h"
#include "core/kernel/linux/jail_user.h"
#include "core/kernel/linux/oci_config.h"
#include "core/kernel/linux/runtime.h"
#include "core/kernel/shim/protocol/paths.h"

namespace jaild::kernel {
namespace {

using nlohmann::json;
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Root has what process 1 has. Others have none of it in effect, and cannot get more than it by any set-user-id
/// program, which no_new_privs forbids besides.
json capabilities_of(const JailUser& user) {
    auto capabilities = oci_capabilities();
    if (user.uid == 0) return capabilities;
    for (const char* set : {"effective", "permitted", "inheritable", "ambient"}) capabilities[set] = json::array();
    return capabilities;
}

/// The runtime's process.json, runtime-spec 1.0.2 "process". Errc::invalid for what is no UTF-8.
Result<std::string> process_document(const Program& program, const JailUser& user, const rlimit& files) {
    const auto environment =
        environment_of(program, {.path = kPath, .home = user.home, .user = user.name, .shell = user.shell});
    json document = {{"terminal", program.terminal.has_value()},
                     {"user", {{"uid", user.uid}, {"gid", user.gid}, {"additionalGids", user.groups}, {"umask", 0022}}},
                     {"args", program.argv},
                     {"env", environment},
                     {"cwd", program.directory},
                     {"capabilities", capabilities_of(user)},
                     {"rlimits", oci_rlimits(files)},
                     {"noNewPrivileges", true},
                     {"oomScoreAdj", 0}};
    if (program.terminal)
        document["consoleSize"] = {{"height", program.terminal->rows}, {"width", program.terminal->columns}};
    try {
        return document.dump();
    } catch (const json::exception&) {
        return std::unexpected(
            Error::invalid("invalid_program", "", "arguments, environment and the user's home are UTF-8"));
    }
}

/// The last message of level error or fatal in the runtime's log, one JSON object a line.
std::string last_message(const std::string& log) {
    std::string message;
    for (std::size_t begin = 0; begin < log.size();) {
        const auto end = std::min(log.find('\n', begin), log.size());
        const auto entry = json::parse(log.begin() + static_cast<std::ptrdiff_t>(begin),
                                       log.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
        if (entry.is_object() && entry.contains("msg") && entry["msg"].is_string())
            message = entry["msg"].get<std::string>();
        begin = end + 1;
    }
    return message;
}

/// What is behind the last ": ", mostly an errno's text.
std::string reason_in(const std::string& message) {
    const auto colon = message.rfind(": ");
    return colon == std::string::npos ? message : message.substr(colon + 2);
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// What runc 1.0 to 1.2 says of a program: "…container process: exec: "x": permission denied". The program's own name
/// is in it, chosen by whoever asks, so only what is before and behind it counts.
std::optional<Error> blame(const Program& program, const std::string& message) {
    std::string_view said = message;
    for (const std::string_view before : {"unable to start container process: ", "process caused: "})
        if (const auto at = said.find(before); at != std::string_view::npos) {
            said.remove_prefix(at + before.size());
            break;
        }
    if (said.starts_with("chdir to cwd")) return directory_not_found(program, reason_in(message));
    // eaccess(3) is how it sees that a file system is mounted noexec.
    if (!said.starts_with("exec: ") && !said.starts_with("eaccess ")) return std::nullopt;
    for (const auto* end : {"executable file not found in $PATH", "no such file or directory", "not a directory"})
        if (said.ends_with(end)) return program_not_found(program);
    for (const auto* end : {"permission denied", "is a directory", "exec format error"})
        if (said.ends_with(end)) return program_not_executable(program, reason_in(message));
    return std::nullopt;
}

}  // namespace

Result<shim::Launch> RuncAttacher::prepare(JailId id, const Program& program) {
    if (const auto good = check_program(program); !good) return std::unexpected(good.error());
    const auto runtime = Runtime::program();
    if (!runtime) return std::unexpected(runtime.error());
    const auto root = files::open_directory(layout_.root(id));
    if (!root) return std::unexpected(root.error());
    const auto user = find_user_in(root->get(), program.user);
    if (!user && user.error().code == Errc::not_found) return std::unexpected(user_not_found(program));
    if (!user) {
        auto error = Error::invalid("user_not_found", "/user",
                                    "the jail's passwd or group cannot be read: " + user.error().detail);
        return std::unexpected(std::move(error));
    }
    // A jail that does not run is the runtime's to tell of.
    const auto jail = Runtime(layout_, nullptr).find(id);
    const auto files = jail && *jail ? file_limits::of((*jail)->first.pid) : std::nullopt;
    auto document = process_document(program, *user, files.value_or(file_limits::usual()));
    if (!document) return std::unexpected(document.error());

    const std::string pid_file = "attach-" + random_hex(8) + ".pid";
    // 3 and 4 are anonymous files that the shim gives to the runtime: secrets of the environment touch no disk.
    shim::Launch launch{
        .mode = shim::LaunchMode::helper,
        .argv = {*runtime, "--root", layout_.runtime_root().string(), "--log", "/proc/self/fd/4", "--log-format",
                 "json", "exec", "--detach", "--pid-file", (layout_.state / shim::directory_of(id) / pid_file).string(),
                 "--process", "/proc/self/fd/3"},
        .environment = {std::string("PATH=") + kPath},
        .document = *std::move(document),
        .pid_file = pid_file};
    if (program.terminal) launch.argv.insert(launch.argv.end(), {"--console-socket", ConsoleSocket::kPath});
    launch.argv.push_back(layout_.container(id));
    return launch;
}

Result<std::unique_ptr<Terminal>> RuncAttacher::open_terminal(int shim, TerminalSize) {
    const std::lock_guard lock(consoles_);
    return ConsoleSocket::create(shim);
}

Error RuncAttacher::explain(const Program& program, const shim::Refused& refused) const {
    if (refused.stage == shim::Stage::execute)
        return Error{.code = Errc::unsupported,
                     .op = "runc",
                     .sys = static_cast<int>(refused.code),
                     .detail = "the container runtime cannot be executed",
                     .reason = "runtime_missing",
                     .remedy = "install it: apt-get install runc"};
    if (refused.stage != shim::Stage::helper) return explain_refusal(program, refused);
    const auto message = last_message(refused.text);
    if (const auto blamed = blame(program, message)) return *blamed;
    // runc opens the jail's /dev/ptmx, and asks it for the number of a terminal: ioctl(2), ENOTTY.
    if (program.terminal && (has(message, ": open /dev/ptmx: ") || message.ends_with("inappropriate ioctl for device")))
        return no_terminal(reason_in(message));
    if (has(message, "does not exist") || has(message, "stopped container") || has(message, "not running") ||
        has(message, "executing setns process"))
        return Error{.code = Errc::conflict,
                     .op = "runc exec",
                     .detail = "the jail is not running: " + message,
                     .reason = "jail_not_running"};
    return Error{.code = Errc::kernel,
                 .op = "runc exec",
                 .detail = message.empty() ? "exit code " + std::to_string(refused.code) : message,
                 .reason = "attach_failed"};
}

}  // namespace jaild::kernel
