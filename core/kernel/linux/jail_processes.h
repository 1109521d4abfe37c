#pragma once

#include <optional>
#include <string>

#include "core/base/unique_fd.h"
#include "core/kernel/stats.h"

/// Processes of jails, as /proc shows them. Blocking, any thread.
namespace jaild::kernel::proc {

/// One that is in that control group and in a pid namespace of its own, without JailProcess::user and held. Nothing
/// when it is neither, or gone: what is read of it is of one process, whoever has its number later.
std::optional<JailProcess> look(std::int64_t pid, const std::string& group);

/// A process of that group, held (pidfd_open(2)): a signal through it reaches no other. Nothing as above; an Error (no
/// descriptors) says nothing about it.
Result<std::optional<UniqueFd>> hold(std::int64_t pid, const std::string& group);
/// False when it has ended.
bool send(const UniqueFd& process, int signal);

enum class Cost { any, only_cheap };
/// How many files the processes have open together. From Linux 6.2 on the kernel counts them itself. Before, each is
/// gone through, which takes as long as a jail likes: with `only_cheap` there is no answer then.
std::optional<std::uint64_t> open_files(const std::vector<std::int64_t>& pids, Cost cost);

/// Since the process started that did so at this tick after boot (proc(5), starttime).
Milliseconds age(std::uint64_t started_ticks);

}  // namespace jaild::kernel::proc
