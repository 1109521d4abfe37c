#include "core/kernel/freebsd/dhcp_clients.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/files.h"
#include "core/kernel/freebsd/pure/dhclient_texts.h"
#include "core/kernel/freebsd/system/marked_processes.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::kernel::freebsd::dhcp {
namespace {

constexpr const char* kProgram = "dhclient";
/// A killed process is gone within this, or is stuck in the kernel.
constexpr std::chrono::seconds kGone{2};
constexpr std::chrono::milliseconds kPause{10};

/// "dhclient-0": one was started for that interface of the jail, and not stopped.
std::string file_name(LinkId id) {
    return fmt::format("dhclient-{}", id.index);
}

std::filesystem::path file_path(const Places& places, LinkId id) {
    return places.jail(id.jail) / file_name(id);
}

bool was_started(const Places& places, LinkId id) {
    return ::access(file_path(places, id).c_str(), F_OK) == 0;
}

std::vector<MarkedProcess> marked(const Places& places, LinkId id, const std::vector<MarkedProcess>& all) {
    const auto mark = client_mark(places.instance, id);
    std::vector<MarkedProcess> found;
    for (const auto& one : all)
        if (has_mark(one.environment, mark)) found.push_back(one);
    return found;
}

/// The one that speaks with the network and the one that sets addresses: each is useless without the other.
bool lives(const std::vector<MarkedProcess>& client) {
    return std::ranges::any_of(client, [](const MarkedProcess& one) { return one.user != 0; }) &&
           std::ranges::any_of(client, [](const MarkedProcess& one) { return is_privileged_client(one.title); });
}

Result<bool> all_gone(const std::vector<MarkedProcess>& client) {
    for (const auto& one : client) {
        const auto still = shim::is_process(one.pid, one.started);
        if (!still) return std::unexpected(still.error());
        if (*still) return false;
    }
    return true;
}

/// dhclient(8) has nothing to do at its end: no lease is given back.
Result<void> end(const std::vector<MarkedProcess>& client) {
    for (const auto& one : client) {
        const auto still = shim::is_process(one.pid, one.started);
        if (!still) return std::unexpected(still.error());
        if (*still) ::kill(one.pid, SIGKILL);
    }
    const auto deadline = std::chrono::steady_clock::now() + kGone;
    for (;;) {
        const auto gone = all_gone(client);
        if (!gone) return std::unexpected(gone.error());
        if (*gone) return {};
        if (std::chrono::steady_clock::now() >= deadline)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = kProgram,
                                         .detail = fmt::format("process {} does not end", client.front().pid)});
        std::this_thread::sleep_for(kPause);
    }
}

Result<void> remember(const Places& places, LinkId id) {
    const auto jail = files::open_directory(places.jail(id.jail));
    if (!jail) return std::unexpected(jail.error());
    return files::write_atomic(jail->get(), file_name(id), "", 0600);
}

}  // namespace

Result<std::vector<LinkId>> living(const Places& places, const Prison& prison, const std::vector<LinkId>& links) {
    std::vector<LinkId> found;
    if (std::ranges::none_of(links, [&](LinkId id) { return was_started(places, id); })) return found;
    const auto all = processes_of(prison.jid, kProgram);
    if (!all) return std::unexpected(all.error());
    for (const auto& id : links)
        if (lives(marked(places, id, *all))) found.push_back(id);
    return found;
}

Result<void> ensure(const Places& places, const Inside& inside, const Prison& prison,
                    const LinkParameters& parameters) {
    const auto id = parameters.id;
    const auto all = processes_of(prison.jid, kProgram);
    if (!all) return std::unexpected(all.error());
    const auto there = marked(places, id, *all);
    if (lives(there)) return {};
    if (auto ended = end(there); !ended) return ended;
    if (auto written = remember(places, id); !written) return written;
    return inside.start_client(reference(prison), dhcp_client(places.instance, parameters));
}

Result<std::set<pid_t>> pids(const Places& places, JailId id, const Prison& prison) {
    std::set<pid_t> found;
    std::vector<LinkId> links;
    for (unsigned index = 0; index < kMaxInterfaces; ++index)
        if (const LinkId link{.jail = id, .index = index}; was_started(places, link)) links.push_back(link);
    if (links.empty()) return found;
    const auto all = processes_of(prison.jid, kProgram);
    if (!all) return std::unexpected(all.error());
    for (const auto& link : links)
        for (const auto& one : marked(places, link, *all)) found.insert(one.pid);
    return found;
}

Result<void> stop(const Places& places, const Prison& prison, LinkId id) {
    if (!was_started(places, id)) return {};
    const auto all = processes_of(prison.jid, kProgram);
    if (!all) return std::unexpected(all.error());
    if (auto ended = end(marked(places, id, *all)); !ended) return ended;
    if (::unlink(file_path(places, id).c_str()) == 0 || errno == ENOENT) return {};
    return std::unexpected(Error::from_errno("unlink", errno, file_path(places, id)));
}

}  // namespace jaild::kernel::freebsd::dhcp
