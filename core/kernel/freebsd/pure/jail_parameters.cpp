#include "core/kernel/freebsd/pure/jail_parameters.h"

#include <charconv>

namespace jaild::kernel::freebsd {
namespace {

// devfs.rules(5): what /etc/defaults/devfs.rules calls devfsrules_jail and devfsrules_jail_vnet (with pf and bpf's
// kin).
constexpr int kRulesetJail = 4;
constexpr int kRulesetJailVnet = 5;
/// jail(8): only mounts beneath the jail's root are seen, and only their names from there on.
constexpr int kEnforceStatfs = 2;

Error bad_argument(std::string_view argument) {
    return Error{.code = Errc::invalid, .op = "parse", .detail = "no jail parameter: " + std::string(argument)};
}

template <class... Cases>
struct Overload : Cases... {
    using Cases::operator()...;
};

}  // namespace

Parameters creation_parameters(const JailParameters& parameters, const std::filesystem::path& root) {
    const bool linked = parameters.mode == model::NetworkMode::vnet;
    return {{"name", parameters.name.text()},
            {"path", root.string()},
            {"host.hostname", parameters.hostname},
            {"vnet", static_cast<int>(JailSys::create)},
            {"enforce_statfs", kEnforceStatfs},
            {"devfs_ruleset", linked ? kRulesetJailVnet : kRulesetJail},
            {"children.max", 0}};
}

std::string negated(std::string_view name) {
    const auto dot = name.rfind('.');
    const auto last = dot == std::string_view::npos ? 0 : dot + 1;
    return std::string(name.substr(0, last)) + "no" + std::string(name.substr(last));
}

std::vector<EncodedParameter> encode(const Parameters& parameters) {
    const auto terminated = [](std::string text) {
        text.push_back('\0');
        return text;
    };
    std::vector<EncodedParameter> encoded;
    encoded.reserve(parameters.size());
    for (const auto& [name, value] : parameters) {
        encoded.push_back(
            std::visit(Overload{[&](bool on) {
                                    return EncodedParameter{terminated(on ? name : negated(name)), std::nullopt};
                                },
                                [&](int number) {
                                    const auto* bytes = reinterpret_cast<const char*>(&number);
                                    return EncodedParameter{terminated(name), std::string(bytes, sizeof number)};
                                },
                                [&](const std::string& text) {
                                    return EncodedParameter{terminated(name), terminated(text)};
                                }},
                       value));
    }
    return encoded;
}

std::string to_argument(const Parameter& parameter) {
    return parameter.name + "=" +
           std::visit(Overload{[](bool on) { return std::string(on ? "b:1" : "b:0"); },
                               [](int number) { return "i:" + std::to_string(number); },
                               [](const std::string& text) { return "s:" + text; }},
                      parameter.value);
}

Result<Parameter> parse_argument(std::string_view argument) {
    const auto equals = argument.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::unexpected(bad_argument(argument));
    Parameter parameter{.name = std::string(argument.substr(0, equals)), .value = {}};
    const auto typed = argument.substr(equals + 1);
    if (typed.size() < 2 || typed[1] != ':') return std::unexpected(bad_argument(argument));
    const auto text = typed.substr(2);
    if (typed[0] == 's') {
        parameter.value = std::string(text);
        return parameter;
    }
    if (typed[0] == 'b' && (text == "0" || text == "1")) {
        parameter.value = text == "1";
        return parameter;
    }
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (typed[0] != 'i' || error != std::errc{} || end != text.data() + text.size())
        return std::unexpected(bad_argument(argument));
    parameter.value = number;
    return parameter;
}

}  // namespace jaild::kernel::freebsd
