#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/base/units.h"

/// The one way to start a program of the host: posix_spawn(3) of an argv vector; no shell, and jaild itself never
/// forks. A program without a slash in its name is looked up in kSystemPath, never in the caller's PATH; a path must be
/// absolute. It starts with no signal blocked or ignored and with no descriptor but those given to it.
namespace jaild {

using Argv = std::vector<std::string>;

inline constexpr std::string_view kSystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program leaves behind in its process group when it ends by itself.
enum class Leftovers { stay, killed };

struct RunOptions {
    std::string input{};                     ///< written to the program's standard input
    std::vector<std::string> environment{};  ///< "NAME=value"; empty: only PATH of the host's system directories
    Milliseconds timeout{30'000};            ///< then SIGKILL to its process group and Errc::busy "timeout"
    std::size_t output_limit = 1 << 20;      ///< of each stream, bytes; the rest is read and dropped
    Leftovers leftovers = Leftovers::stay;
    /// Told what the program writes to either stream, as it comes, and ten times a second nothing (""). False ends it
    /// as a timeout does: Errc::conflict "interrupted".
    std::function<bool(std::string_view)> watch{};
};

struct Completed {
    int exit_code = 0;  ///< 128 + signal when a signal ended it
    std::string output;
    std::string error_output;
};

/// Runs to the end of the program itself: a child that it leaves behind with its output open is not waited for.
/// Blocking; several threads may. An exit code other than 0 is not an Error: the caller knows what it means.
/// Errc::not_found "program_not_found". SIGPIPE stays away from the caller, however the process treats it. Nobody else
/// in the process may wait for any child (waitpid(-1)) or ignore SIGCHLD.
Result<Completed> run(const Argv& argv, const RunOptions& options = {});

struct Detached {
    pid_t pid = 0;
};

struct SpawnOptions {
    std::vector<std::string> environment{};
    /// Descriptors for 0, 1 and 2 of the new program; -1 is /dev/null. All others are closed there.
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
    std::optional<int> pass{};  ///< one more descriptor, seen as 3 by the program
    /// setsid(2), where posix_spawn(3) can. FreeBSD's cannot: there the program calls setsid(2) itself as its first act
    /// (and takes EPERM, "is one already", for success on Linux).
    bool new_session = false;
};

/// Starts a program and returns at once; the caller waits for it or leaves it to its reaper.
Result<Detached> spawn(const Argv& argv, const SpawnOptions& options);

}  // namespace jaild
