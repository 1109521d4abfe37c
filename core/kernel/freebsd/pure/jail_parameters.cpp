#include "core/kernel/freebsd/pure/jail_parameters.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace jaild::kernel::freebsd {
namespace {

// devfs.rules(5): what /etc/defaults/devfs.rules calls devfsrules_jail; devfsrules_jail_vnet has pf beside it.
constexpr int kRulesetJail = 4;
constexpr int kRulesetJailVnet = 5;
/// jail(8): only mounts beneath the jail's root are seen, and only their names from there on.
constexpr int kEnforceStatfs = 2;

Error bad_argument(std::string_view argument) {
    return Error{.code = Errc::invalid, .op = "parse", .detail = "no jail parameter: " + std::string(argument)};
}

std::string packed(const std::vector<IpAddress>& addresses) {
    std::string bytes;
    for (const auto& address : addresses)
        bytes.append(reinterpret_cast<const char*>(address.bytes.data()), address.bits() / 8);
    return bytes;
}

std::string joined(const std::vector<IpAddress>& addresses) {
    std::string text;
    for (const auto& address : addresses) text.append(text.empty() ? "" : ",").append(address.to_string());
    return text;
}

template <class T>
bool read_number(std::string_view text, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

bool read_addresses(std::string_view text, std::vector<IpAddress>& addresses) {
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto address = IpAddress::parse(text.substr(0, comma));
        if (!address) return false;
        addresses.push_back(*address);
        if (comma == std::string_view::npos) return true;
        text.remove_prefix(comma + 1);
        if (text.empty()) return false;
    }
    return true;
}

/// How the jail gets its network.
Parameters network_parameters(model::NetworkMode mode) {
    const auto as = [](const char* name, JailSys how) { return Parameter{name, static_cast<int>(how)}; };
    if (mode == model::NetworkMode::inherit) return {as("ip4", JailSys::inherit), as("ip6", JailSys::inherit)};
    if (mode == model::NetworkMode::alias) return {};  // its addresses say so: kern_jail.c
    return {as(kVnet, JailSys::create)};
}

template <class... Cases>
struct Overload : Cases... {
    using Cases::operator()...;
};

}  // namespace

std::string_view to_string(JailSys how) {
    switch (how) {
        case JailSys::disable:
            return "disable";
        case JailSys::create:
            return "new";
        case JailSys::inherit:
            return "inherit";
    }
    std::unreachable();
}

int devfs_ruleset(std::optional<int> chosen, model::NetworkMode mode) {
    return chosen.value_or(mode == model::NetworkMode::vnet ? kRulesetJailVnet : kRulesetJail);
}

Parameters creation_parameters(const JailParameters& parameters, const std::filesystem::path& root,
                               const Parameters& chosen, const std::string& meta) {
    Parameters all{{"name", parameters.name.text()},
                   {"path", root.string()},
                   {"host.hostname", parameters.hostname},
                   {"enforce_statfs", kEnforceStatfs},
                   {"devfs_ruleset", devfs_ruleset(parameters.devfs_ruleset, parameters.mode)},
                   {"children.max", 0}};
    for (auto& one : network_parameters(parameters.mode)) all.push_back(std::move(one));
    if (!meta.empty()) all.push_back({"meta", meta});
    for (const auto& one : chosen) {
        const auto ours = std::ranges::find(all, one.name, &Parameter::name);
        if (ours == all.end())
            all.push_back(one);
        else
            ours->value = one.value;
    }
    return all;
}

std::vector<EncodedParameter> encode(const Parameters& parameters) {
    const auto terminated = [](std::string text) {
        text.push_back('\0');
        return text;
    };
    std::vector<EncodedParameter> encoded;
    encoded.reserve(parameters.size());
    for (const auto& [name, value] : parameters) {
        const auto with = [&](std::string bytes) { return EncodedParameter{terminated(name), std::move(bytes)}; };
        const auto number = [&](auto value_) {
            std::string bytes(sizeof value_, '\0');
            std::memcpy(bytes.data(), &value_, sizeof value_);
            return with(std::move(bytes));
        };
        encoded.push_back(std::visit(
            Overload{[&](bool on) {
                         return EncodedParameter{terminated(on ? name : model::with_no(name)), std::nullopt};
                     },
                     [&](int value_) { return number(value_); }, [&](std::int64_t value_) { return number(value_); },
                     [&](std::uint64_t value_) { return number(value_); },
                     [&](const std::string& text) { return with(terminated(text)); },
                     [&](const std::vector<IpAddress>& addresses) { return with(packed(addresses)); }},
            value));
    }
    return encoded;
}

std::string to_argument(const Parameter& parameter) {
    return parameter.name + "=" +
           std::visit(Overload{[](bool on) { return std::string(on ? "b:1" : "b:0"); },
                               [](int number) { return "i:" + std::to_string(number); },
                               [](std::int64_t number) { return "q:" + std::to_string(number); },
                               [](std::uint64_t number) { return "Q:" + std::to_string(number); },
                               [](const std::string& text) { return "s:" + text; },
                               [](const std::vector<IpAddress>& addresses) { return "a:" + joined(addresses); }},
                      parameter.value);
}

Result<Parameter> parse_argument(std::string_view argument) {
    const auto equals = argument.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::unexpected(bad_argument(argument));
    Parameter parameter{.name = std::string(argument.substr(0, equals)), .value = {}};
    const auto typed = argument.substr(equals + 1);
    if (typed.size() < 2 || typed[1] != ':') return std::unexpected(bad_argument(argument));
    const auto text = typed.substr(2);
    bool good = false;
    switch (typed[0]) {
        case 'b':
            good = text == "0" || text == "1";
            parameter.value = text == "1";
            break;
        case 'i':
            good = read_number(text, parameter.value.emplace<int>());
            break;
        case 'q':
            good = read_number(text, parameter.value.emplace<std::int64_t>());
            break;
        case 'Q':
            good = read_number(text, parameter.value.emplace<std::uint64_t>());
            break;
        case 's':
            good = true;
            parameter.value = std::string(text);
            break;
        case 'a':
            good = read_addresses(text, parameter.value.emplace<std::vector<IpAddress>>());
            break;
        default:
            break;
    }
    if (!good) return std::unexpected(bad_argument(argument));
    return parameter;
}

}  // namespace jaild::kernel::freebsd
