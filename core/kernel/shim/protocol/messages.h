#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What jaild and jaild-shim say to each other: frames over a UNIX stream socket, `u32 length`, `u16 type`, body
/// (length counts type and body). One request at a time on a connection; the first is `hello`. Only `signal` may come
/// while an answer is awaited, and it has none itself.
namespace jaild::shim {

/// A shim answers every client of version 1 or later, and each side ignores fields that it does not know. A change
/// that an older shim cannot ignore is a new message, which it answers with `failed` "unknown_request".
inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxFrame = std::size_t{1} << 20;  ///< bytes of type and body
inline constexpr std::size_t kMaxHelperOutput = kMaxFrame / 4;  ///< of each stream, so that the answer is one frame

enum class MessageType : std::uint16_t {
    // requests
    hello = 1,
    subscribe = 2,       ///< answer: done, then an event after each change
    start_command = 3,   ///< answer: started | refused
    stop_command = 4,    ///< answer: done, once it is gone
    run = 5,             ///< answer: ended | refused; its client may go away, the program runs on
    exec = 6,            ///< with 3 descriptors; answer: started | refused, then ended. Closing the connection kills it
    signal = 7,          ///< no answer; to the program of this connection
    run_helper = 8,      ///< answer: helper_done
    reset = 9,           ///< answer: done
    shutdown = 10,       ///< answer: done, then the shim exits
    fail_command = 11,   ///< answer: done; the command could not even be tried
    exec_terminal = 12,  ///< as exec, of LaunchMode::jail; 0 is a terminal, and becomes its session's controlling one
    watch = 13,          ///< answer: done; all that lives in the jail is its command from now on
    run_hook = 14,       ///< answer: ended | refused; a program of the host, which runs on without its client
    // answers
    hello_answer = 64,
    done = 65,
    started = 66,
    refused = 67,
    ended = 68,
    helper_done = 69,
    event = 70,
    failed = 71,  ///< the request was not carried out
};

struct Hello {
    std::uint32_t version = kProtocolVersion;
    std::string program;  ///< for logs: "jaild 0.1.0"
    std::int64_t pid = 0;
    [[nodiscard]] std::string encode() const;
    static std::optional<Hello> decode(std::string_view body);
};

/// How a program gets into its jail; made by the daemon's Attacher, which knows the kernel.
enum class LaunchMode : std::uint8_t {
    helper = 1,  ///< `argv` is a program of the host that leaves the wanted one behind (runc exec --detach)
    jail = 2,    ///< the shim's own child attaches itself (jail_attach(2)) and executes `argv`
    host = 3,    ///< the shim's own child executes `argv` on the host; never in a message
};

struct Launch {
    LaunchMode mode = LaunchMode::helper;
    std::vector<std::string> argv{};
    std::vector<std::string> environment{};  ///< "NAME=value"
    // helper
    std::string document{};  ///< what the helper reads from descriptor 3; it writes its own log to descriptor 4
    std::string pid_file{};  ///< a name in the shim's directory: the helper writes the program's pid there, by rename
    // jail
    std::string jail_name{};
    std::int64_t jid = 0;  ///< refused unless this jail has that name
    std::string jail_path{};
    std::string user{};
    std::string directory{};
    [[nodiscard]] std::string encode() const;
    static std::optional<Launch> decode(std::string_view body);
};

struct Run {
    Launch launch;
    std::int64_t timeout_ms = 0;
    bool marks_start = false;
    [[nodiscard]] std::string encode() const;
    static std::optional<Run> decode(std::string_view body);
};

/// Hooks are told apart by a number, of which a shim knows no more: model::Hook.
inline constexpr std::uint8_t kMostHooks = 8;
/// Their success is remembered in ShimState::hooks_done.
enum class Remembered : std::uint8_t { no, yes };

struct RunHook {
    std::uint8_t hook = 0;  ///< less than kMostHooks
    std::vector<std::string> argv{};
    std::vector<std::string> environment{};  ///< "NAME=value"
    std::int64_t timeout_ms = 0;
    Remembered success = Remembered::no;
    [[nodiscard]] std::string encode() const;
    static std::optional<RunHook> decode(std::string_view body);
};

struct StopCommand {
    std::int64_t grace_ms = 0;
    [[nodiscard]] std::string encode() const;
    static std::optional<StopCommand> decode(std::string_view body);
};

struct FailCommand {
    std::int64_t exit_code = 0;
    std::string text;  ///< one line for the log
    [[nodiscard]] std::string encode() const;
    static std::optional<FailCommand> decode(std::string_view body);
};

struct Signal {
    std::int64_t number = 0;
    [[nodiscard]] std::string encode() const;
    static std::optional<Signal> decode(std::string_view body);
};

struct RunHelper {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::int64_t timeout_ms = 0;
    std::int64_t output_limit = 0;  ///< bytes of each stream, at most kMaxHelperOutput
    std::string pid_file;           ///< absolute, or empty: where the helper writes the pid of the jail's first process
    [[nodiscard]] std::string encode() const;
    static std::optional<RunHelper> decode(std::string_view body);
};

struct HelperDone {
    std::int64_t exit_code = 0;
    bool timed_out = false;
    std::string output;
    std::string error_output;
    [[nodiscard]] std::string encode() const;
    static std::optional<HelperDone> decode(std::string_view body);
};

struct Started {
    std::int64_t pid = 0;
    [[nodiscard]] std::string encode() const;
    static std::optional<Started> decode(std::string_view body);
};

enum class Stage : std::uint8_t {
    helper = 1,     ///< the helper failed: `code` is its exit code, `text` its log
    execute = 2,    ///< fork(2) or execve(2) of the host's program or of the jail's: `code` is errno
    attach = 3,     ///< jail_attach(2): `code` is errno
    user = 4,       ///< no such user in the jail
    directory = 5,  ///< chdir(2) in the jail: `code` is errno
    timeout = 6,    ///< it did not get that far in time
    state = 7,      ///< the shim could not write its record: `code` is errno
    terminal = 8,   ///< ioctl(2) TIOCSCTTY: `code` is errno
};

struct Refused {
    Stage stage = Stage::helper;
    std::int64_t code = 0;
    std::string text;
    [[nodiscard]] std::string encode() const;
    static std::optional<Refused> decode(std::string_view body);
};

struct Ended {
    std::int64_t exit_code = 0;  ///< 128 + signal when a signal ended it
    std::int64_t signal = 0;
    bool timed_out = false;
    [[nodiscard]] std::string encode() const;
    static std::optional<Ended> decode(std::string_view body);
};

struct Failed {
    std::string reason;  ///< stable: "unknown_request", "malformed", "command_running", "too_many", "shutting_down"
    std::string text;
    [[nodiscard]] std::string encode() const;
    static std::optional<Failed> decode(std::string_view body);
};

}  // namespace jaild::shim
