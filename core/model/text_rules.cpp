#include "core/model/text_rules.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace jaild::model {
namespace {

std::unexpected<Error> invalid_value(const std::string& at, std::string_view text, const char* why) {
    return std::unexpected(Error::invalid("invalid_value", at, in_quotes(text) + " " + why));
}

/// Calls `good` with each part between separators, until one is not.
template <class F>
bool all_parts(std::string_view text, char separator, F good) {
    for (;;) {
        const auto end = text.find(separator);
        if (!good(text.substr(0, end))) return false;
        if (end == std::string_view::npos) return true;
        text.remove_prefix(end + 1);
    }
}

bool is_host_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 && is_alphanumeric(label.front()) && is_alphanumeric(label.back()) &&
           std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

}  // namespace

Result<void> check_path(std::string_view path, RootPath root, const std::string& at) {
    const auto refused = [&](const char* why) {
        return std::unexpected(Error::invalid("invalid_path", at, in_quotes(path) + " " + why));
    };
    if (!path.starts_with('/')) return refused("is not absolute: a path begins with \"/\"");
    if (path == "/") {
        if (root == RootPath::allowed) return {};
        return refused("is the host's own root");
    }
    const bool normal = all_parts(path.substr(1), '/', [](std::string_view component) {
        return !component.empty() && component != "." && component != "..";
    });
    if (!normal)
        return refused(
            "is no path as it is wanted here: without \"//\", \"/./\" and \"/../\", and no \"/\" at its end");
    return {};
}

Result<void> check_hostname(std::string_view name, const std::string& at) {
    if (!all_parts(name, '.', is_host_label))
        return invalid_value(at, name,
                             "is no host name: labels of letters, digits and inner hyphens, joined by dots (RFC 1123)");
    return {};
}

Result<void> check_user(std::string_view user, const std::string& at) {
    const bool good = !user.empty() && user.front() != '-' && std::ranges::all_of(user, [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '-' || c == '.';
    });
    if (!good)
        return invalid_value(at, user, "is no user: a name of letters, digits, \"_\", \"-\" and \".\", or a number");
    return {};
}

Result<void> check_env_name(std::string_view name, const std::string& at) {
    const bool good = !name.empty() && !is_digit(name.front()) &&
                      std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_'; });
    if (!good)
        return invalid_value(at, name, "is no name of a variable: a letter or \"_\", then letters, digits and \"_\"");
    return {};
}

Result<void> check_label_key(std::string_view key, const std::string& at) {
    if (key.empty() || key.find('=') != std::string_view::npos)
        return invalid_value(at, key, "is no key of a label, which is not empty and has no \"=\"");
    return {};
}

Result<void> check_host_interface_name(std::string_view name, const std::string& at) {
    const auto refused = [&](std::string_view why) {
        return std::unexpected(Error::invalid("invalid_value", at, std::string(why)));
    };
    if (name.empty() || !is_letter(name.front())) return refused("an interface's name begins with a letter");
    for (const char c : name)
        if (!is_alphanumeric(c) && c != '.' && c != '-' && c != '_')
            return refused("an interface's name is letters, digits, \".\", \"-\" and \"_\"");
    return {};
}

Result<void> check_interface_name(std::string_view name, const std::string& at) {
    if (auto good = check_host_interface_name(name, at); !good) return good;
    // The loopback interfaces, and what sysctl(8) on Linux calls every interface and a new one.
    for (const std::string_view taken : {"lo", "lo0", "all", "default"})
        if (name == taken)
            return std::unexpected(
                Error::invalid("invalid_value", at, in_quotes(name) + " means something else already"));
    return {};
}

Result<std::string> read_mac(std::string_view text, const std::string& at) {
    const auto refused = [&](std::string_view why) {
        return std::unexpected(Error::invalid("invalid_mac", at, in_quotes(text) + " " + std::string(why)));
    };
    constexpr std::size_t length = 17;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string mac(text);
    for (auto& c : mac)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    bool good = mac.size() == length;
    for (std::size_t i = 0; good && i < length; ++i)
        good = i % 3 == 2 ? mac[i] == ':' : digits.find(mac[i]) != std::string_view::npos;
    if (!good) return refused("is no address of an interface: write 06:00:00:00:00:01");
    if (digits.find(mac[1]) % 2 != 0) return refused("is a group's address: the first number must be even");
    if (mac == "00:00:00:00:00:00") return refused("is nobody's address");
    if (mac.starts_with("02:")) return refused("begins like those that jaild gives itself: begin with 06, 0a or 0e");
    return mac;
}

}  // namespace jaild::model
