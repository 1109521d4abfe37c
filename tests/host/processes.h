#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

/// Processes of this machine, as its kernel tells of them. Zombies have ended.
namespace jaild::test {

/// Zombies too.
std::vector<pid_t> all_processes();
/// Separated by spaces; empty for one that is gone or has none.
std::string arguments_of(pid_t process);
pid_t parent_of(pid_t process);
bool lives(pid_t process);
/// SIGKILL, and gone when it returns.
void kill_process(pid_t process);

}  // namespace jaild::test
