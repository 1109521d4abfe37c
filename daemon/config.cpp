#include "daemon/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace jaild::daemon {
namespace {

constexpr std::array<std::string_view, 4> kKernels{"auto", "freebsd", "linux", "memory"};
constexpr std::array<std::string_view, 5> kLevels{"trace", "debug", "info", "warn", "error"};
constexpr std::size_t kMinTokenBytes = 16;
constexpr std::size_t kMaxTokens = 64;
constexpr std::size_t kMaxMountSources = 64;
constexpr std::size_t kMaxUpdateArguments = 64;

Error refused(const std::filesystem::path& file, const toml::node* node, std::string detail) {
    const auto line = node ? fmt::format(":{}", node->source().begin.line) : std::string{};
    return Error{.code = Errc::invalid,
                 .op = "config",
                 .detail = fmt::format("{}{}: {}", file.string(), line, detail),
                 .reason = "config_invalid",
                 .remedy = "see jaild.toml(5)"};
}

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

Result<void> check_words(const Config& config) {
    if (!one_of(kKernels, config.kernel))
        return std::unexpected(
            Error::invalid("kernel_unknown", "/kernel",
                           fmt::format("kernel \"{}\" is none of {}", config.kernel, fmt::join(kKernels, ", "))));
    if (!one_of(kLevels, config.log_level))
        return std::unexpected(
            Error::invalid("log_level_unknown", "/log_level",
                           fmt::format("log level \"{}\" is none of {}", config.log_level, fmt::join(kLevels, ", "))));
    return {};
}

Result<Role> parse_role(const std::filesystem::path& file, const toml::node& node) {
    const auto text = node.value<std::string>();
    if (text == "viewer") return Role::viewer;
    if (text == "operator") return Role::operator_;
    if (text == "admin") return Role::admin;
    return std::unexpected(refused(file, &node, "role must be \"viewer\", \"operator\" or \"admin\""));
}

Result<Token> parse_token(const std::filesystem::path& file, const toml::table& table) {
    Token token;
    for (const auto& [key, node] : table) {
        if (key == "role") {
            auto role = parse_role(file, node);
            if (!role) return std::unexpected(role.error());
            token.role = *role;
            continue;
        }
        if (key != "name" && key != "value")
            return std::unexpected(refused(file, &node, fmt::format("unknown key \"{}\" in [[token]]", key.str())));
        const auto text = node.value<std::string>();
        if (!text) return std::unexpected(refused(file, &node, fmt::format("{} must be a string", key.str())));
        (key == "name" ? token.name : token.value) = *text;
    }
    if (token.name.empty()) return std::unexpected(refused(file, &table, "[[token]] needs a name"));
    if (token.value.size() < kMinTokenBytes)
        return std::unexpected(
            refused(file, &table, fmt::format("the value of a token needs at least {} characters", kMinTokenBytes)));
    return token;
}

Result<void> parse_tokens(const std::filesystem::path& file, const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array || !array->is_array_of_tables())
        return std::unexpected(refused(file, &node, "write tokens as [[token]]"));
    if (array->size() > kMaxTokens)
        return std::unexpected(refused(file, &node, fmt::format("more than {} tokens", kMaxTokens)));
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return std::unexpected(Error::from_errno("stat", errno, file.string()));
    if ((status.st_mode & 077) != 0 || status.st_uid != ::geteuid())
        return std::unexpected(Error{.code = Errc::denied,
                                     .op = "config",
                                     .detail = fmt::format("{} holds tokens, and others may read it", file.string()),
                                     .reason = "config_readable",
                                     .remedy = fmt::format("chown root {0} && chmod 600 {0}", file.string())});
    for (const auto& element : *array) {
        auto token = parse_token(file, *element.as_table());
        if (!token) return std::unexpected(token.error());
        const bool twice = std::any_of(config.tokens.begin(), config.tokens.end(),
                                       [&](const Token& other) { return other.name == token->name; });
        if (twice) return std::unexpected(refused(file, &element, fmt::format("token \"{}\" twice", token->name)));
        config.tokens.push_back(*std::move(token));
    }
    return {};
}

/// Absolute, and without a component that leads elsewhere.
Result<void> parse_mount_sources(const std::filesystem::path& file, const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array || array->empty())
        return std::unexpected(refused(file, &node, "mount_sources must be an array of directories"));
    if (array->size() > kMaxMountSources)
        return std::unexpected(refused(file, &node, fmt::format("more than {} mount_sources", kMaxMountSources)));
    for (const auto& element : *array) {
        const auto text = element.value_exact<std::string>();
        const std::filesystem::path path = text ? *text : std::string();
        if (!path.is_absolute() || path.lexically_normal() != path ||
            (path.has_relative_path() && !path.has_filename()))
            return std::unexpected(refused(file, &element,
                                           "an entry of mount_sources must be an absolute path without "
                                           "\".\", \"..\" or a slash at its end"));
        config.mount_sources.push_back(path);
    }
    return {};
}

/// A program by its absolute path, and its arguments.
Result<void> parse_template_update(const std::filesystem::path& file, const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array || array->empty())
        return std::unexpected(
            refused(file, &node, "template_update must be an array: a program's absolute path, and its arguments"));
    if (array->size() > kMaxUpdateArguments)
        return std::unexpected(
            refused(file, &node, fmt::format("template_update has more than {} elements", kMaxUpdateArguments)));
    for (const auto& element : *array) {
        const auto text = element.value_exact<std::string>();
        if (!text || text->find('\0') != std::string::npos)
            return std::unexpected(refused(file, &element, "an element of template_update must be a string"));
        config.template_update.push_back(*text);
    }
    if (!std::filesystem::path(config.template_update.front()).is_absolute())
        return std::unexpected(refused(file, &node, "the program of template_update must be an absolute path"));
    return {};
}

Result<void> parse_key(const std::filesystem::path& file, std::string_view key, const toml::node& node,
                       Config& config) {
    if (key == "token") return parse_tokens(file, node, config);
    if (key == "mount_sources") return parse_mount_sources(file, node, config);
    if (key == "template_update") return parse_template_update(file, node, config);
    if (key == "manage_forwarding") {
        const auto value = node.value_exact<bool>();
        if (!value) return std::unexpected(refused(file, &node, "manage_forwarding must be true or false"));
        config.manage_forwarding = *value;
        return {};
    }
    if (key == "template_max_entries") {
        const auto value = node.value_exact<std::int64_t>();
        if (!value || *value < 1)
            return std::unexpected(refused(file, &node, "template_max_entries must be a number, at least 1"));
        config.template_max_entries = static_cast<std::uint64_t>(*value);
        return {};
    }
    const auto text = node.value_exact<std::string>();
    if (key == "template_max_bytes") {
        const auto size = text ? Bytes::parse(*text) : std::unexpected(Error{});
        if (!size || size->count == 0)
            return std::unexpected(refused(file, &node, "template_max_bytes must be a size, such as \"32G\""));
        config.template_max_bytes = size->count;
        return {};
    }
    const bool known = key == "state_dir" || key == "socket" || key == "socket_group" || key == "listen" ||
                       key == "kernel" || key == "log_level" || key == "zfs_parent";
    if (!known) return std::unexpected(refused(file, &node, fmt::format("unknown key \"{}\"", key)));
    if (!text) return std::unexpected(refused(file, &node, fmt::format("{} must be a string", key)));
    if (key == "state_dir") config.state_directory = *text;
    if (key == "socket") config.socket = *text;
    if (key == "socket_group") config.socket_group = *text;
    if (key == "listen") config.listen = *text;
    if (key == "kernel") config.kernel = *text;
    if (key == "log_level") config.log_level = *text;
    if (key == "zfs_parent") config.zfs_parent = *text;
    return {};
}

}  // namespace

const Places& places() {
#ifdef __FreeBSD__
    static const Places here{"/var/db/jaild", "/var/run/jaild.sock", "/usr/local/etc/jaild/jaild.toml"};
#else
    static const Places here{"/var/lib/jaild", "/run/jaild.sock", "/etc/jaild/jaild.toml"};
#endif
    return here;
}

Result<void> read_config_file(const std::filesystem::path& file, Config& config) {
    toml::table table;
    try {
        table = toml::parse_file(file.string());
    } catch (const toml::parse_error& error) {
        return std::unexpected(
            Error{.code = Errc::invalid,
                  .op = "config",
                  .detail = fmt::format("{}:{}: {}", file.string(), error.source().begin.line, error.description()),
                  .reason = "config_invalid"});
    }
    for (const auto& [key, node] : table)
        if (auto taken = parse_key(file, key.str(), node, config); !taken) return taken;
    return {};
}

Result<Config> load_config(const CommandLine& line) {
    Config config;
    const auto file = line.config_file.value_or(places().config_file);
    std::error_code ignored;
    if (line.config_file || std::filesystem::exists(file, ignored))
        if (auto read = read_config_file(file, config); !read) return std::unexpected(read.error());

    const bool own_state = line.state_directory.has_value();
    if (own_state) config.state_directory = *line.state_directory;
    if (line.listen) config.listen = *line.listen;
    if (line.kernel) config.kernel = *line.kernel;
    if (line.log_level) config.log_level = *line.log_level;
    config.claim = line.claim;
    // A state directory of its own makes a daemon of its own, with a socket of its own (DESIGN "Surfaces").
    if (own_state) config.socket.clear();
    if (line.socket) config.socket = *line.socket;
    if (config.socket.empty()) {
        const bool usual = config.state_directory.empty() || config.state_directory == places().state_directory;
        config.socket = usual && !own_state ? places().socket : config.state_directory / "jaild.sock";
    }
    if (config.state_directory.empty()) config.state_directory = places().state_directory;
    if (auto words = check_words(config); !words) return std::unexpected(words.error());
    return config;
}

}  // namespace jaild::daemon
