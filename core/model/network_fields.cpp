#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/network.h"
#include "core/model/spec_parts.h"

/// The JSON of a network.
namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::size_t kRangeText = 96;  // two addresses and what joins them
/// Deeper than any network; json::merge_patch recurses.
constexpr int kNetworkDepth = 8;

bool is_shallow(const json& value, int left) {
    if (!value.is_structured()) return true;
    if (left == 0) return false;
    for (const auto& element : value)
        if (!is_shallow(element, left - 1)) return false;
    return true;
}

/// The parser of an address does not know its field.
Error at_field(Error error, const std::string& at) {
    error.field = at;
    return error;
}

Result<IpAddress> read_address(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kRangeText);
    if (!text) return std::unexpected(text.error());
    const auto address = IpAddress::parse(*text);
    if (!address) return std::unexpected(at_field(address.error(), at));
    return *address;
}

/// Null and absent are both nothing.
void optional_address(Fields& fields, std::string_view key, std::optional<IpAddress>& target) {
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        const auto address = read_address(value, at);
        if (!address) return std::unexpected(address.error());
        target = *address;
        return {};
    });
}

void subnet(Fields& fields, std::string_view key, std::optional<Prefix>& target, bool& choose) {
    choose = !fields.has(key);
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        const auto text = read_text(value, at, kRangeText);
        if (!text) return std::unexpected(text.error());
        const auto prefix = Prefix::parse(*text);
        if (!prefix) return std::unexpected(at_field(prefix.error(), at));
        target = *prefix;
        return {};
    });
}

/// It becomes a word of a packet filter's rule.
Result<void> check_rule_word(std::string_view name, const std::string& at) {
    for (const char c : name)
        if (!is_alphanumeric(c) && c != '_' && c != '.' && c != '-')
            return std::unexpected(Error::invalid("invalid_value", at, in_quotes(name) + " is no interface's name"));
    if (!name.empty() && (name.front() == '-' || name.front() == '.'))
        return std::unexpected(Error::invalid("invalid_value", at, in_quotes(name) + " is no interface's name"));
    return {};
}

void interface_name(Fields& fields, std::string_view key, std::string& target) {
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        auto name = read_text(value, at, NetworkLimits::interface_bytes);
        if (!name) return std::unexpected(name.error());
        if (auto good = check_rule_word(*name, at); !good) return good;
        target = *std::move(name);
        return {};
    });
}

void number(Fields& fields, std::string_view key, unsigned& target, unsigned smallest, unsigned largest) {
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "a whole number"));
        const bool fits = value.is_number_unsigned()
                              ? value.get<std::uint64_t>() <= largest
                              : value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= largest;
        if (!fits || value.get<std::uint64_t>() < smallest)
            return std::unexpected(Error::invalid(
                "invalid_value", at, "must be from " + std::to_string(smallest) + " to " + std::to_string(largest)));
        target = value.get<unsigned>();
        return {};
    });
}

Result<Nat> parse_nat(const json& value, const std::string& at) {
    if (value.is_boolean()) return Nat{.on = value.get<bool>()};
    if (!value.is_object()) return std::unexpected(wrong_type(at, "true, false or an object"));
    Nat nat;
    Fields fields(value, at);
    interface_name(fields, "interface", nat.interface);
    optional_address(fields, "address4", nat.address4);
    optional_address(fields, "address6", nat.address6);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return nat;
}

Result<void> parse_range(const json& value, const std::string& at, std::vector<AddressRange>& ranges) {
    const auto text = read_text(value, at, kRangeText);
    if (!text) return std::unexpected(text.error());
    const auto dash = text->find('-');
    const auto first = IpAddress::parse(text->substr(0, dash));
    if (!first) return std::unexpected(at_field(first.error(), at));
    const auto last = dash == std::string::npos ? first : IpAddress::parse(text->substr(dash + 1));
    if (!last) return std::unexpected(at_field(last.error(), at));
    ranges.push_back({.first = *first, .last = *last});
    return {};
}

void read_fields(Fields& fields, NetworkRequest& request) {
    auto& network = request.network;
    subnet(fields, "ipv4", network.ipv4, request.choose4);
    subnet(fields, "ipv6", network.ipv6, request.choose6);
    optional_address(fields, "gateway4", network.router4);
    optional_address(fields, "gateway6", network.router6);
    interface_name(fields, "bridge", network.bridge);
    interface_name(fields, "uplink", network.uplink);
    number(fields, "vlan", network.vlan, 1, NetworkLimits::vlan_max);
    number(fields, "mtu", network.mtu, NetworkLimits::mtu_min4, NetworkLimits::mtu_max);
    fields.boolean("isolated", network.isolated);
    fields.each("nameservers", SpecLimits::nameservers, [&](const json& value, const std::string& at) {
        return parse_nameserver(value, at, network.nameservers);
    });
    fields.each("search", SpecLimits::search_domains,
                [&](const json& value, const std::string& at) { return parse_search(value, at, network.search); });
    fields.each("reserved", NetworkLimits::reserved,
                [&](const json& value, const std::string& at) { return parse_range(value, at, network.reserved); });
    fields.entries("labels", SpecLimits::labels, [&](const std::string& key, const json& value, const std::string& at) {
        return parse_label(key, value, at, network.labels);
    });
    // Unless somebody says otherwise: where it has anything to translate. A prefix that is still to be chosen has.
    const auto translated = [&](Family family, bool choose, const std::optional<IpAddress>& router) {
        return (choose && !router) || network.translates(family);
    };
    network.nat.on = network.bridge.empty() && (translated(Family::ipv4, request.choose4, network.router4) ||
                                                translated(Family::ipv6, request.choose6, network.router6));
    fields.read("nat", [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        auto nat = parse_nat(value, at);
        if (!nat) return std::unexpected(nat.error());
        network.nat = *std::move(nat);
        return {};
    });
}

NetworkRequest request_for(Name name) {
    return {.network = {.id = {}, .name = std::move(name), .ipv4 = {}, .ipv6 = {}}};
}

template <class T>
json text_or_null(const std::optional<T>& value) {
    return value ? json(value->to_string()) : json();
}

json name_or_null(const std::string& name) {
    return name.empty() ? json() : json(name);
}

json nat_json(const Nat& nat) {
    if (!nat.on) return false;
    if (nat == Nat{}) return true;
    json shown = json::object();
    if (!nat.interface.empty()) shown["interface"] = nat.interface;
    if (nat.address4) shown["address4"] = nat.address4->to_string();
    if (nat.address6) shown["address6"] = nat.address6->to_string();
    return shown;
}

}  // namespace

Result<NetworkRequest> parse_named_network(const json& object) {
    if (!object.is_object()) return std::unexpected(wrong_type("", "an object"));
    const auto found = object.find("name");
    if (found == object.end()) return std::unexpected(Error::invalid("missing_field", "/name", "\"name\" is missing"));
    if (!found->is_string()) return std::unexpected(wrong_type("/name", "a string"));
    auto name = Name::parse(found->get_ref<const std::string&>());
    if (!name) return std::unexpected(name.error());
    auto fields = object;
    fields.erase("name");
    return parse_network_fields(*std::move(name), fields);
}

Result<NetworkRequest> parse_network_fields(Name name, const json& object) {
    auto request = request_for(std::move(name));
    Fields fields(object, "");
    read_fields(fields, request);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return request;
}

Result<Network> merge_patch(const Network& current, const json& patch) {
    if (!patch.is_object()) return std::unexpected(wrong_type("", "an object"));
    if (!is_shallow(patch, kNetworkDepth))
        return std::unexpected(Error::invalid("too_deep", "", "no network is nested so deep"));
    if (patch.contains("name"))
        return std::unexpected(Error::invalid("immutable_field", "/name", "a network keeps its name"));
    auto document = fields_json(current);
    document.merge_patch(patch);
    auto request = parse_network_fields(current.name, document);
    if (!request) return std::unexpected(request.error());
    auto changed = std::move(request->network);
    changed.id = current.id;
    changed.generation = current.generation;
    changed.created_at = current.created_at;
    return changed;
}

json fields_json(const Network& network) {
    json nameservers = json::array();
    for (const auto& address : network.nameservers) nameservers.push_back(address.to_string());
    json reserved = json::array();
    for (const auto& range : network.reserved) reserved.push_back(range.to_string());
    return {{"ipv4", text_or_null(network.ipv4)},
            {"ipv6", text_or_null(network.ipv6)},
            {"gateway4", text_or_null(network.router4)},
            {"gateway6", text_or_null(network.router6)},
            {"nat", nat_json(network.nat)},
            {"bridge", name_or_null(network.bridge)},
            {"uplink", name_or_null(network.uplink)},
            {"vlan", network.vlan == 0 ? json() : json(network.vlan)},
            {"mtu", network.mtu},
            {"isolated", network.isolated},
            {"nameservers", std::move(nameservers)},
            {"search", network.search},
            {"reserved", std::move(reserved)},
            {"labels", network.labels}};
}

}  // namespace jaild::model
