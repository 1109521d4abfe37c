#include "core/kernel/linux/dhcp_clients.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "core/kernel/linux/process.h"
#include "core/kernel/shim/protocol/lock_file.h"

namespace jaild::kernel::dhcp {
namespace {

constexpr std::chrono::seconds kGrace{2};
constexpr const char* kIndexFile = "interface";
constexpr std::size_t kIndexText = 32;

/// "12-0"
std::string directory_name(LinkId id) {
    return fmt::format("{}-{}", id.jail.value, id.index);
}

std::optional<LinkId> parse_directory_name(std::string_view text) {
    LinkId id;
    const auto* end = text.data() + text.size();
    const auto jail = std::from_chars(text.data(), end, id.jail.value);
    if (jail.ec != std::errc{} || jail.ptr == end || *jail.ptr != '-') return std::nullopt;
    const auto index = std::from_chars(jail.ptr + 1, end, id.index);
    if (index.ec != std::errc{} || index.ptr != end || id.index >= kMaxInterfaces) return std::nullopt;
    return directory_name(id) == text ? std::optional(id) : std::nullopt;
}

Error missing(std::string detail) {
    return Error{.code = Errc::unsupported,
                 .op = "dhcp",
                 .detail = std::move(detail),
                 .reason = "dhcp_client_missing",
                 .remedy = "apt-get install udhcpc"};
}

/// Nothing: there is no such directory.
Result<std::optional<UniqueFd>> open_directory(const std::filesystem::path& path) {
    auto opened = files::open_directory(path);
    if (!opened && opened.error().code == Errc::not_found) return std::nullopt;
    if (!opened) return std::unexpected(opened.error());
    return std::optional(*std::move(opened));
}

/// It was started for the interface that has this index now.
bool serves(int directory, unsigned index) {
    const auto text = files::read(directory, kIndexFile, kIndexText);
    return text && *text == std::to_string(index);
}

}  // namespace

Result<std::string> program(const std::vector<std::string>& directories) {
    for (const auto& directory : directories) {
        auto path = directory + "/udhcpc";
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return std::unexpected(missing("this host has no udhcpc(8), by which a jail's interface gets an address by DHCP"));
}

Result<std::map<LinkId, bool>> list(const Layout& layout, Scope scope) {
    std::map<LinkId, bool> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(layout.dhcp(), failed)) {
        const auto id = parse_directory_name(entry.path().filename().string());
        if (!id || (scope && *scope != id->jail)) continue;
        const auto directory = open_directory(entry.path());
        if (!directory) return std::unexpected(directory.error());
        if (!*directory) continue;
        const auto holder = shim::holder_of((*directory)->get());
        if (!holder) return std::unexpected(holder.error());
        found[*id] = holder->has_value();
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return std::unexpected(Error::from_errno("opendir", failed.value(), layout.dhcp().string()));
    return found;
}

Result<void> ensure(const Layout& layout, const LinkParameters& parameters) {
    const auto& name = parameters.name;
    const LinkId id = parameters.id;
    const auto client = program();
    if (!client) return std::unexpected(client.error());
    const auto index = ::if_nametoindex(name.c_str());
    if (index == 0) return std::unexpected(Error::from_errno("if_nametoindex", errno, name));
    const auto path = layout.dhcp() / directory_name(id);
    if (const auto there = open_directory(path); there && *there) {
        const auto holder = shim::holder_of((*there)->get());
        if (!holder) return std::unexpected(holder.error());
        if (holder->has_value() && serves((*there)->get(), index)) return {};
    }
    if (auto stopped = stop(layout, id); !stopped) return stopped;

    const auto root = files::open_directory("/");
    if (!root) return std::unexpected(root.error());
    const auto directory = files::make_directories(root->get(), path.relative_path(), 0700);
    if (!directory) return std::unexpected(directory.error());
    if (auto written = files::write_atomic(directory->get(), kIndexFile, std::to_string(index), 0600); !written)
        return written;
    RunOptions options;
    options.environment = {"PATH=" + std::string(kSystemPath),
                           std::string("JAILD_ROUTE=") + (parameters.dhcp == Learns::addresses_and_route ? "1" : "0")};
    if (parameters.takes_names) options.environment.push_back("JAILD_ROOT=" + layout.root(id.jail).string());
    const auto done = run({layout.helpers / "jaild-lease", "start", path.string(), name, *client}, options);
    if (!done) return std::unexpected(done.error());
    if (done->exit_code == 0) return {};
    return std::unexpected(Error{.code = Errc::kernel,
                                 .op = "jaild-lease",
                                 .detail = fmt::format("no DHCP client for {}: {}", name, done->error_output),
                                 .reason = "dhcp_client_failed"});
}

Result<void> stop(const Layout& layout, LinkId id) {
    const auto name = directory_name(id);
    const auto all = open_directory(layout.dhcp());
    if (!all) return std::unexpected(all.error());
    if (!*all) return {};
    const auto own = open_directory(layout.dhcp() / name);
    if (!own) return std::unexpected(own.error());
    if (!*own) return {};
    const auto holder = shim::holder_of((*own)->get());
    if (!holder) return std::unexpected(holder.error());
    if (*holder) {
        const auto process = ProcessHandle::open({.pid = (*holder)->pid, .started = (*holder)->start_time});
        if (!process) return std::unexpected(process.error());
        for (const int signal : {SIGTERM, SIGKILL}) {
            if (!*process) break;
            (*process)->kill(signal);
            if ((*process)->wait(std::chrono::steady_clock::now() + kGrace)) break;
        }
    }
    return files::remove_tree((*all)->get(), name);
}

}  // namespace jaild::kernel::dhcp
