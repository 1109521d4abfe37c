#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/spec_parts.h"

namespace jaild::model {

using nlohmann::json;

namespace {

/// What a user may not set by a parameter, and what he uses instead.
struct Reserved {
    std::string_view name;  ///< one that ends with "." stands for all that begin with it
    std::string_view why;
    std::string_view remedy;
};

constexpr std::string_view kNetwork = "use the field network";
constexpr std::string_view kReadOnly = "it can only be read: see the jail's status";
constexpr std::string_view kNotNeeded = "leave it out";

constexpr std::array<Reserved, 32> kReserved{{
    {"allow.dying", "jaild never revives a dying jail", kNotNeeded},
    {"allow.suser", "jaild sets up the jail's network from within, as its root", kNotNeeded},
    {"children.cur", "the kernel counts the jails in a jail", kReadOnly},
    {"command", "a jail's main process has a field of its own", "use the field command"},
    {"cpuset.id", "the kernel numbers its processor sets", kReadOnly},
    {"depend", "the order of jails is no parameter of the kernel", kNotNeeded},
    {"desc", "it is a descriptor of the caller's own", kNotNeeded},
    {"devfs_ruleset", "the rules of /dev have a field of their own", "use the field devfs_ruleset"},
    {"dying", "only the kernel says when a jail is dying", kReadOnly},
    {"errmsg", "jaild asks for the kernel's message always", kNotNeeded},
    {"exec.", "programs have a field of their own", "use the fields exec and command"},
    {"host", "a jail has its own host name always", "use the field hostname"},
    {"host.hostname", "the host name has a field of its own", "use the field hostname"},
    {"interface", "jaild gives a jail its addresses", kNetwork},
    {"ip4.addr", "jaild gives a jail its addresses", kNetwork},
    {"ip6.addr", "jaild gives a jail its addresses", kNetwork},
    {"ip_hostname", "jaild gives a jail its addresses", kNetwork},
    {"jid", "the kernel numbers its jails", kNotNeeded},
    {"lastjid", "it lists jails and sets nothing", kNotNeeded},
    {"meta", "jaild keeps its own mark there", "use the field labels"},
    {"meta.", "jaild keeps its own mark there", "use the field labels"},
    {"mount", "jaild mounts what a root needs", "use the field root"},
    {"mount.", "jaild mounts what a root needs", "use the field root"},
    {"name", "the name has a field of its own", "use the field name"},
    {"parent", "jaild's jails have no parent but the host", kReadOnly},
    {"path", "the root has a field of its own", "use the field root"},
    {"persist", "a jail of jaild's lasts until it is stopped", "use the field running"},
    {"stop.", "stopping has fields of its own", "use the field exec"},
    {"vnet", "the network stack has a field of its own", kNetwork},
    {"vnet.", "jaild moves interfaces into a jail itself", kNetwork},
    {"zfs.dataset", "a jail's datasets have a field of their own", "use the field datasets"},
    {"zfs.dataset.", "a jail's datasets have a field of their own", "use the field datasets"},
}};

const Reserved* reserved(std::string_view name) {
    const auto is = [&](const Reserved& one) {
        return one.name.ends_with('.') ? name.starts_with(one.name) : name == one.name;
    };
    const auto* const found = std::ranges::find_if(kReserved, is);
    return found == kReserved.end() ? nullptr : found;
}

/// Words of letters, digits and "_", joined by dots: what sysctl(3) names can be.
bool is_parameter_name(std::string_view name) {
    bool begun = false;
    for (const char c : name) {
        if (c == '.' && !begun) return false;
        begun = c != '.';
        if (begun && !is_alphanumeric(c) && c != '_') return false;
    }
    return begun;
}

Result<void> check_name(const std::string& name, const std::string& at) {
    if (auto good = check_text(name, ParameterLimits::name_bytes, at); !good) return good;
    if (!is_parameter_name(name))
        return std::unexpected(Error::invalid(
            "invalid_value", at, "a parameter's name is words of letters, digits and \"_\", joined by dots"));
    const auto* taken = reserved(name);
    if (taken == nullptr) taken = reserved(without_no(name));
    if (taken == nullptr) return {};
    auto error =
        Error::invalid("reserved_parameter", at, name + " is no parameter for a spec: " + std::string(taken->why));
    error.remedy = taken->remedy;
    return std::unexpected(std::move(error));
}

Result<std::vector<IpAddress>> parse_addresses(const json& value, const std::string& at) {
    if (value.size() > ParameterLimits::addresses) return std::unexpected(too_many(at, ParameterLimits::addresses));
    std::vector<IpAddress> addresses;
    for (const auto& element : value) {
        const auto where = pointer(at, addresses.size());
        const auto text = read_text(element, where, ParameterLimits::text_bytes);
        if (!text) return std::unexpected(text.error());
        auto address = IpAddress::parse(*text);
        if (!address) {
            address.error().field = where;
            return std::unexpected(address.error());
        }
        addresses.push_back(*address);
    }
    return addresses;
}

Result<ParameterValue> parse_value(const json& value, const std::string& at) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_unsigned()) return number_value(value.get<std::uint64_t>());
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (value.is_string()) {
        auto text = read_text(value, at, ParameterLimits::text_bytes);
        if (!text) return std::unexpected(text.error());
        return *std::move(text);
    }
    if (value.is_array()) {
        auto addresses = parse_addresses(value, at);
        if (!addresses) return std::unexpected(addresses.error());
        return *std::move(addresses);
    }
    return std::unexpected(wrong_type(at, "true, false, a whole number, a string or an array of addresses"));
}

json value_to_json(const ParameterValue& value) {
    if (const auto* addresses = std::get_if<std::vector<IpAddress>>(&value)) {
        json texts = json::array();
        for (const auto& address : *addresses) texts.push_back(address.to_string());
        return texts;
    }
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
    return std::get<std::string>(value);
}

}  // namespace

Result<Parameters> parse_parameters(const json& value, const std::string& at) {
    if (!value.is_object()) return std::unexpected(wrong_type(at, "an object"));
    if (value.size() > ParameterLimits::entries) return std::unexpected(too_many(at, ParameterLimits::entries));
    Parameters parameters;
    for (const auto& [name, entry] : value.items()) {
        const auto where = pointer(at, name);
        if (auto good = check_name(name, where); !good) return std::unexpected(good.error());
        if (value.contains(with_no(name)))
            return std::unexpected(Error::invalid("invalid_value", pointer(at, with_no(name)),
                                                  name + " and " + with_no(name) + " are one parameter"));
        auto parsed = parse_value(entry, where);
        if (!parsed) return std::unexpected(parsed.error());
        parameters.emplace(name, *std::move(parsed));
    }
    return parameters;
}

json to_json(const Parameters& parameters) {
    json object = json::object();
    for (const auto& [name, value] : parameters) object[name] = value_to_json(value);
    return object;
}

Result<int> parse_devfs_ruleset(const json& value, const std::string& at) {
    constexpr int kLast = 65'535;  // devfs(8): a ruleset's number is a uint16_t
    if (!value.is_number_integer())
        return std::unexpected(wrong_type(at, "the number of a ruleset; the field devices takes paths"));
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > kLast;
    const auto number = huge ? 0 : value.get<std::int64_t>();
    if (number > 0 && number <= kLast) return static_cast<int>(number);
    return std::unexpected(Error::invalid("invalid_value", at, "from 1 to " + std::to_string(kLast)));
}

}  // namespace jaild::model
