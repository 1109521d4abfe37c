#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/exit_watch.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/messages.h"

/// What differs between the two systems. One file for each: platform_linux.cpp, platform_freebsd.cpp.
namespace jaild::shim::platform {

/// All that our children leave behind becomes our child: PR_SET_CHILD_SUBREAPER, procctl(2) PROC_REAP_ACQUIRE.
Result<void> become_reaper();

/// An anonymous file that a child inherits, filled with `content`, offset 0.
Result<UniqueFd> anonymous_file(const std::string& content);

/// Closes every descriptor from `first` on.
void close_from(int first);

/// Signals every process of the session that `leader` leads. The leader must be pinned: our child, not waited for
/// yet, or checked by start time, so its number belongs to nobody else.
void signal_session(pid_t leader, int signal);

/// Signals a process that is not our child, with its session if it leads one. False: it is not the one that started
/// then.
bool signal_stranger(pid_t pid, std::int64_t start_time, int signal);

/// Our children that `known` does not know, where each of those can only be what a killed helper left (Linux: orphans
/// of the jail go to its own first process). Empty where orphans of the jail are our children by right (FreeBSD).
std::vector<pid_t> strays(const std::function<bool(pid_t)>& known);

/// One that lives in the jail and is none of the programs that we run there: a child of the jail's first process
/// (Linux), a child of ours that `known` does not know (FreeBSD). Nothing: nobody is left.
Result<std::optional<ExitWatch>> inhabitant(pid_t first_process, const std::function<bool(pid_t)>& known);

/// Signals everything in the jail but its first process (Linux), every descendant of ours (FreeBSD).
void signal_inhabitants(pid_t first_process, int signal);

/// LaunchMode::jail, in the child after fork(2): enters the jail as the user and directory that the launch names, with
/// no descriptor but 0 to `last_descriptor` open. Returns what failed, or nothing and then only execve(2) is left;
/// `environment` gets the defaults that the user's login class and passwd entry give.
struct Entered {
    bool ok = false;
    Stage stage = Stage::attach;
    int code = 0;
    std::string text;
};
Entered enter_jail(const Launch& launch, int last_descriptor, std::vector<std::string>& environment);

}  // namespace jaild::shim::platform
