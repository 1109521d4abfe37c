#include "core/kernel/freebsd/stats.h"

#include <sys/types.h>
// after <sys/types.h>
#include <signal.h>

#include <algorithm>
#include <map>

#include "core/base/clock.h"
#include "core/kernel/freebsd/dhcp_clients.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/process_table.h"
#include "core/kernel/freebsd/system/rctl.h"
#include "core/kernel/names.h"
#include "core/kernel/user_names.h"

namespace jaild::kernel {
namespace {

using freebsd::Prison;
using freebsd::ProcessRow;
using Interfaces = std::map<JailId, std::vector<InterfaceCounters>>;

/// `started`: microseconds since the epoch.
Milliseconds age_of(std::int64_t started) {
    return Milliseconds(std::max<std::int64_t>(Clock::system().utc().milliseconds - started / 1000, 0));
}

/// By the names of the host's ends: what came out of one went into the jail.
Result<Interfaces> traffic_of(const InstanceId& instance) {
    const auto all = freebsd::interfaces();
    if (!all) return std::unexpected(all.error());
    Interfaces found;
    for (const auto& one : *all) {
        const auto id = parse_pair_name(instance, one.name);
        if (!id || freebsd::description(one.name) != jail_mark(instance, id->jail)) continue;
        found[id->jail].push_back({.index = id->index,
                                   .received_bytes = one.bytes_out,
                                   .received_packets = one.packets_out,
                                   .sent_bytes = one.bytes_in,
                                   .sent_packets = one.packets_in});
    }
    for (auto& [id, interfaces] : found) std::ranges::sort(interfaces, {}, &InterfaceCounters::index);
    return found;
}

void add(std::optional<std::uint64_t>& sum, std::uint64_t value) {
    sum = sum.value_or(0) + value;
}

void add(JailCounters& counters, const ProcessRow& row) {
    add(counters.cpu_us, row.cpu_us + row.gone_us);
    add(counters.memory_bytes, row.resident_bytes);
    add(counters.processes, 1);
    add(counters.threads, row.threads);
    add(counters.read_operations, row.reads);
    add(counters.write_operations, row.writes);
}

/// A jail without a process uses nothing, and that is known.
JailCounters none_of(JailId id) {
    return {.id = id,
            .cpu_us = 0,
            .memory_bytes = 0,
            .processes = 0,
            .threads = 0,
            .read_operations = 0,
            .write_operations = 0};
}

JailProcess shown(const ProcessRow& row) {
    auto title = freebsd::process_title(row.pid);
    while (title.ends_with('\0')) title.pop_back();
    std::ranges::replace(title, '\0', ' ');
    if (title.empty()) title = "[" + row.name + "]";
    title.resize(std::min(title.size(), kMaxCommand));
    return {.pid = row.pid,
            .jail_pid = row.pid,
            .parent = row.parent,
            .uid = row.user,
            .cpu_us = row.cpu_us,
            .resident_bytes = row.resident_bytes,
            .age = age_of(row.started),
            .state = freebsd::state_of(row),
            .command = std::move(title)};
}

/// kill(2), if it is a process of the jail at this very moment.
Result<bool> send(const Prison& prison, pid_t pid, int signal) {
    const auto row = freebsd::process_row(pid);
    if (!row) return std::unexpected(row.error());
    if (!*row || (*row)->jid != prison.jid || (*row)->zombie() || !freebsd::is_still(freebsd::reference(prison)))
        return false;
    return ::kill(pid, signal) == 0;
}

}  // namespace

Result<std::vector<JailCounters>> FreeBsdStats::list(Scope scope) {
    const auto prisons = freebsd::our_prisons(places_, scope);
    if (!prisons) return std::unexpected(prisons.error());
    std::map<int, JailCounters> by_jid;
    for (const auto& [id, prison] : *prisons)
        if (!prison.dying) by_jid.emplace(prison.jid, none_of(id));
    std::vector<JailCounters> listed;
    if (by_jid.empty()) return listed;

    const auto table = freebsd::process_table();
    if (!table) return std::unexpected(table.error());
    std::map<std::int64_t, std::int64_t> started;  // by pid
    for (const auto& row : *table) {
        started[row.pid] = row.started;
        const auto jail = by_jid.find(row.jid);
        if (jail != by_jid.end() && !row.zombie()) add(jail->second, row);
    }
    auto traffic = traffic_of(places_.instance);
    if (!traffic) return std::unexpected(traffic.error());
    const auto shims = shims_.list(scope);
    if (!shims) return std::unexpected(shims.error());
    std::map<JailId, std::int64_t> shim_started;
    for (const auto& shim : *shims)
        if (const auto row = started.find(shim.pid); shim.alive && row != started.end())
            shim_started[shim.id] = row->second;
    const bool counted = freebsd::rctl::supported().has_value();
    for (auto& [jid, counters] : by_jid) {
        if (counted) counters.open_files = freebsd::rctl::usage(prisons->at(counters.id).name, "openfiles");
        counters.interfaces = std::move((*traffic)[counters.id]);
        if (const auto since = shim_started.find(counters.id); since != shim_started.end())
            counters.uptime = age_of(since->second);
        listed.push_back(std::move(counters));
    }
    std::ranges::sort(listed, {}, &JailCounters::id);
    return listed;
}

Result<JailProcesses> FreeBsdStats::processes(JailId id) {
    JailProcesses found;
    const auto prison = freebsd::our_prison(places_, id);
    if (!prison) return std::unexpected(prison.error());
    if (!*prison) return found;
    const auto held = freebsd::dhcp::pids(places_, id, **prison);
    if (!held) return std::unexpected(held.error());
    auto table = freebsd::process_table();
    if (!table) return std::unexpected(table.error());
    std::erase_if(*table, [&](const ProcessRow& row) { return row.jid != (*prison)->jid; });
    std::ranges::sort(*table, {}, &ProcessRow::pid);
    found.truncated = table->size() > kMaxProcesses;
    if (found.truncated) table->resize(kMaxProcesses);
    const auto names = user_names_in(places_.root(id));
    for (const auto& row : *table) {
        auto one = shown(row);
        if (const auto name = names.find(one.uid); name != names.end()) one.user = name->second;
        one.held = held->contains(row.pid);
        found.items.push_back(std::move(one));
    }
    return found;
}

Result<std::vector<std::int64_t>> FreeBsdStats::signal(JailId id, int signal, const std::vector<std::int64_t>& pids) {
    const auto there = processes(id);
    if (!there) return std::unexpected(there.error());
    const auto prison = freebsd::our_prison(places_, id);
    if (!prison) return std::unexpected(prison.error());
    std::vector<std::int64_t> wanted = pids;
    for (std::size_t at = 0; at < pids.size(); ++at) {
        const auto one = std::ranges::find(there->items, pids[at], &JailProcess::pid);
        if (!*prison || one == there->items.end()) return std::unexpected(process_not_found(pids[at], at));
        if (one->held) return std::unexpected(process_held(pids[at], at));
    }
    std::vector<std::int64_t> reached;
    if (!*prison) return reached;
    if (pids.empty())
        for (const auto& one : there->items)
            if (!one.held) wanted.push_back(one.pid);
    for (const auto pid : wanted) {
        const auto sent = send(**prison, static_cast<pid_t>(pid), signal);
        if (!sent) return std::unexpected(sent.error());
        if (*sent) reached.push_back(pid);
    }
    return reached;
}

}  // namespace jaild::kernel
