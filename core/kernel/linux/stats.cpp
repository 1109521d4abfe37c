#include "core/kernel/linux/stats.h"

#include <algorithm>
#include <map>

#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/jail_processes.h"
#include "core/kernel/names.h"
#include "core/kernel/user_names.h"

namespace jaild::kernel {
namespace {

using Interfaces = std::map<JailId, std::vector<InterfaceCounters>>;

/// By the host's ends, of all jails in one dump: what came out of a host's end went into the jail.
Result<Interfaces> traffic_of(const InstanceId& instance) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto all = rtnl::interfaces(*socket);
    if (!all) return std::unexpected(all.error());
    Interfaces found;
    for (const auto& one : *all) {
        const auto id = parse_pair_name(instance, one.name);
        if (!id || one.alias != jail_mark(instance, id->jail)) continue;
        found[id->jail].push_back({.index = id->index,
                                   .received_bytes = one.traffic.bytes_out,
                                   .received_packets = one.traffic.packets_out,
                                   .sent_bytes = one.traffic.bytes_in,
                                   .sent_packets = one.traffic.packets_in});
    }
    for (auto& [id, interfaces] : found) std::ranges::sort(interfaces, {}, &InterfaceCounters::index);
    return found;
}

}  // namespace

Result<std::vector<Container>> LinuxStats::living(Scope scope) const {
    std::vector<Container> found;
    if (scope) {
        const auto one = runtime_.find(*scope);
        if (!one) return std::unexpected(one.error());
        if (*one) found.push_back(**one);
    } else {
        auto all = runtime_.list();
        if (!all) return std::unexpected(all.error());
        found = *std::move(all);
    }
    std::erase_if(found, [](const Container& one) { return !one.alive; });
    std::ranges::sort(found, {}, &Container::id);
    return found;
}

Result<std::vector<JailCounters>> LinuxStats::list(Scope scope) {
    const auto jails = living(scope);
    if (!jails) return std::unexpected(jails.error());
    std::vector<JailCounters> listed;
    if (jails->empty()) return listed;
    const auto controllers = cgroups::controllers();
    if (!controllers) return std::unexpected(controllers.error());
    auto traffic = traffic_of(layout_.instance);
    if (!traffic) return std::unexpected(traffic.error());
    const cgroups::Counters groups(*controllers, layout_.instance);
    for (const auto& jail : *jails) {
        JailCounters counters{.id = jail.id};
        const auto members = groups.read(jail.id, counters);
        counters.open_files = proc::open_files(members, scope ? proc::Cost::any : proc::Cost::only_cheap);
        counters.interfaces = std::move((*traffic)[jail.id]);
        counters.uptime = proc::age(static_cast<std::uint64_t>(jail.first.started));
        listed.push_back(std::move(counters));
    }
    return listed;
}

Result<JailProcesses> LinuxStats::processes(JailId id) {
    const auto jails = living(id);
    if (!jails) return std::unexpected(jails.error());
    JailProcesses found;
    if (jails->empty()) return found;
    const auto controllers = cgroups::controllers();
    if (!controllers) return std::unexpected(controllers.error());
    auto members = cgroups::Counters(*controllers, layout_.instance).members(id);
    std::ranges::sort(members);
    const auto names = user_names_in(layout_.root(id));
    const auto group = cgroup_path(layout_.instance, id);
    for (const auto pid : members) {
        auto one = proc::look(pid, group);
        if (!one) continue;
        if (found.items.size() == kMaxProcesses) {
            found.truncated = true;
            break;
        }
        if (const auto name = names.find(one->uid); name != names.end()) one->user = name->second;
        one->held = pid == jails->front().first.pid;
        found.items.push_back(*std::move(one));
    }
    return found;
}

Result<std::vector<std::int64_t>> LinuxStats::signal_all(const Container& jail, int signal) {
    const auto controllers = cgroups::controllers();
    if (!controllers) return std::unexpected(controllers.error());
    std::vector<std::int64_t> reached;
    for (const auto pid : cgroups::Counters(*controllers, layout_.instance).members(jail.id)) {
        if (pid == jail.first.pid) continue;
        const auto process = proc::hold(pid, cgroup_path(layout_.instance, jail.id));
        if (!process) return std::unexpected(process.error());
        if (*process && proc::send(**process, signal)) reached.push_back(pid);
    }
    return reached;
}

Result<std::vector<std::int64_t>> LinuxStats::signal(JailId id, int signal, const std::vector<std::int64_t>& pids) {
    const auto jails = living(id);
    if (!jails) return std::unexpected(jails.error());
    if (pids.empty()) return jails->empty() ? std::vector<std::int64_t>{} : signal_all(jails->front(), signal);
    std::vector<UniqueFd> held;
    for (std::size_t at = 0; at < pids.size(); ++at) {
        if (!jails->empty() && pids[at] == jails->front().first.pid) return std::unexpected(process_held(pids[at], at));
        auto process = proc::hold(pids[at], cgroup_path(layout_.instance, id));
        if (!process) return std::unexpected(process.error());
        if (!*process) return std::unexpected(process_not_found(pids[at], at));
        held.push_back(**std::move(process));
    }
    std::vector<std::int64_t> reached;
    for (std::size_t at = 0; at < pids.size(); ++at)
        if (proc::send(held[at], signal)) reached.push_back(pids[at]);
    return reached;
}

}  // namespace jaild::kernel
