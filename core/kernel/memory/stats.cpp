#include "core/kernel/stats.h"

#include <algorithm>
#include <csignal>

#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

/// Signals whose default is not the end of a process: signal(7).
bool spares(int signal) {
    const auto spared = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    return std::ranges::find(spared, signal) != spared.end();
}

}  // namespace

Milliseconds MemoryStats::age() const {
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - made_);
}

Result<std::vector<JailCounters>> MemoryStats::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("stats.list"); !met) return std::unexpected(met.error());
    std::vector<JailCounters> listed;
    const auto elapsed = static_cast<std::uint64_t>(age().count());
    for (const auto& prison : world_.state.prisons) {
        if (!world_.owns(prison.id, scope) || prison.life != JailLife::alive) continue;
        const auto rate = static_cast<std::uint64_t>(prison.id.value) % 7 + 1;
        const auto* directory = world_.directory(prison.id);
        const bool runs = directory != nullptr && directory->shim.command == CommandState::running;
        JailCounters counters{.id = prison.id,
                              .cpu_us = elapsed * rate,
                              .memory_bytes = rate * kMegabyte,
                              .processes = runs ? 1U : 0U,
                              .threads = runs ? 1U : 0U,
                              .open_files = runs ? 3U : 0U,
                              .read_bytes = elapsed * rate * 512,
                              .written_bytes = elapsed * rate * 256,
                              .read_operations = elapsed * rate / 8,
                              .write_operations = elapsed * rate / 16,
                              .uptime = age()};
        for (const auto* pair : world_.pairs_in(prison.jid))
            counters.interfaces.push_back({.index = pair->owner.index,
                                           .received_bytes = elapsed * rate * 100,
                                           .received_packets = elapsed * rate,
                                           .sent_bytes = elapsed * rate * 50,
                                           .sent_packets = elapsed * rate / 2});
        std::ranges::sort(counters.interfaces, {}, &InterfaceCounters::index);
        listed.push_back(std::move(counters));
    }
    std::ranges::sort(listed, {}, &JailCounters::id);
    return listed;
}

Result<JailProcesses> MemoryStats::processes(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("stats.processes"); !met) return std::unexpected(met.error());
    JailProcesses found;
    const auto* prison = world_.prison(id);
    const auto* directory = world_.directory(id);
    const bool alive = prison != nullptr && prison->life == JailLife::alive;
    if (!alive || directory == nullptr || directory->shim.command != CommandState::running) return found;
    const auto& shim = directory->shim;
    found.items.push_back({.pid = shim.command_pid,
                           .jail_pid = shim.command_pid,
                           .parent = shim.pid,
                           .uid = 0,
                           .user = "root",
                           .cpu_us = static_cast<std::uint64_t>(age().count()),
                           .resident_bytes = kMegabyte,
                           .age = age(),
                           .state = "sleeping",
                           .command = "the command of the jail"});
    return found;
}

Result<std::vector<std::int64_t>> MemoryStats::signal(JailId id, int signal, const std::vector<std::int64_t>& pids) {
    const auto there = processes(id);
    if (!there) return std::unexpected(there.error());
    for (std::size_t at = 0; at < pids.size(); ++at)
        if (std::ranges::find(there->items, pids[at], &JailProcess::pid) == there->items.end())
            return std::unexpected(process_not_found(pids[at], at));
    std::vector<std::int64_t> reached;
    for (const auto& one : there->items) reached.push_back(one.pid);
    if (reached.empty() || signal == 0 || spares(signal)) return reached;
    std::lock_guard lock(world_.mutex);
    auto* held = world_.directory(id);
    if (held != nullptr && held->shim.command == CommandState::running)
        world_.end_command(id, *held, 128 + signal, signal, "signaled");
    return reached;
}

}  // namespace jaild::kernel::memory
