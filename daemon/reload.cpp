#include "daemon/reload.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

namespace jaild::daemon {
namespace {

/// Keys of the file that need a start to change.
std::vector<std::string_view> waiting_keys(const Config& current, const Config& fresh) {
    std::vector<std::string_view> keys;
    const auto compare = [&](std::string_view key, const auto& one, const auto& other) {
        if (one != other) keys.push_back(key);
    };
    compare("state_dir", current.state_directory, fresh.state_directory);
    compare("socket", current.socket, fresh.socket);
    compare("socket_group", current.socket_group, fresh.socket_group);
    compare("listen", current.listen, fresh.listen);
    compare("kernel", current.kernel, fresh.kernel);
    compare("mount_sources", current.mount_sources, fresh.mount_sources);
    compare("zfs_parent", current.zfs_parent, fresh.zfs_parent);
    compare("manage_forwarding", current.manage_forwarding, fresh.manage_forwarding);
    return keys;
}

}  // namespace

api::ServerOptions server_options(const Config& config) {
    api::ServerOptions options;
    options.socket = config.socket;
    options.socket_group = config.socket_group;
    options.listen = config.listen;
    for (const auto& token : config.tokens)
        options.tokens.push_back({.name = token.name, .value = token.value, .role = token.role});
    return options;
}

void reload(const CommandLine& line, Config& current, api::Server& server) {
    auto fresh = load_config(line);
    auto taken = fresh ? server.set_tokens(server_options(*fresh).tokens) : std::unexpected(fresh.error());
    if (!taken) {
        spdlog::error("SIGHUP: the old configuration stays: {}", taken.error().to_string());
        return;
    }
    current.tokens = fresh->tokens;
    current.log_level = fresh->log_level;
    spdlog::info("SIGHUP: configuration read: log level {}, {} tokens", fresh->log_level, fresh->tokens.size());
    spdlog::set_level(spdlog::level::from_str(fresh->log_level));
    if (const auto keys = waiting_keys(current, *fresh); !keys.empty())
        spdlog::warn("changed, but waits for the next start of jaild: {}", fmt::join(keys, ", "));
}

}  // namespace jaild::daemon
