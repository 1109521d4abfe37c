#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/spec_parts.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::size_t kDomainBytes = 253;  // RFC 1035 §2.3.4, as text
constexpr std::size_t kAddressText = 64;   // longer than any address with its prefix length

Result<NetworkMode> parse_mode(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kAddressText);
    if (!text) return std::unexpected(text.error());
    if (*text == "vnet") return NetworkMode::vnet;
    if (*text == "inherit") return NetworkMode::inherit;
    if (*text == "none") return NetworkMode::none;
    if (*text == "alias") return NetworkMode::alias;
    return std::unexpected(
        Error::invalid("invalid_value", at, in_quotes(*text) + R"( is none of "vnet", "alias", "inherit" and "none")"));
}

/// The parser of an address or prefix does not know its field.
Error placed(Error error, const std::string& at) {
    error.field = at;
    return error;
}

Result<void> parse_address(const json& value, const std::string& at, std::vector<Prefix>& addresses) {
    const auto text = read_text(value, at, kAddressText);
    if (!text) return std::unexpected(text.error());
    const auto address = Prefix::parse(*text);
    if (!address) return std::unexpected(placed(address.error(), at));
    for (const auto& other : addresses)
        if (other.address.family == address->address.family)
            return std::unexpected(Error::invalid("too_many", at, "a second address of one family"));
    addresses.push_back(*address);
    return {};
}

/// The one word that says where addresses of a family come from; without it the network decides.
Result<void> parse_source(const json& value, const std::string& at, std::string_view word, bool& target) {
    const auto text = read_text(value, at, kAddressText);
    if (!text) return std::unexpected(text.error());
    if (*text != word)
        return std::unexpected(Error::invalid(
            "invalid_value", at,
            in_quotes(*text) + " is not \"" + std::string(word) + "\"; left out, the address is static or assigned"));
    target = true;
    return {};
}

/// What somebody on the network gives out is not ours to choose.
Result<void> check_learned(const InterfaceSpec& interface, const std::string& at) {
    for (std::size_t i = 0; i < interface.addresses.size(); ++i) {
        const auto family = interface.addresses[i].address.family;
        if (!interface.learns(family)) continue;
        return std::unexpected(Error::invalid("learned_address", at + "/addresses/" + std::to_string(i),
                                              family == Family::ipv4
                                                  ? "with \"ipv4\": \"dhcp\" the server gives the address"
                                                  : "with \"ipv6\": \"slaac\" the router gives the address"));
    }
    return {};
}

Result<void> parse_mtu(const json& value, const std::string& at, unsigned& mtu) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "a number"));
    const auto number = value.get<std::int64_t>();
    if (number < SpecLimits::mtu_least || number > SpecLimits::mtu_most)
        return std::unexpected(Error::invalid("invalid_value", at, "an MTU is 1280, which IPv6 needs, to 65535"));
    mtu = static_cast<unsigned>(number);
    return {};
}

Result<InterfaceSpec> parse_interface(const json& value, const std::string& at) {
    InterfaceSpec interface;
    Fields fields(value, at);
    fields.read("network", [&](const json& network, const std::string& where) -> Result<void> {
        if (!network.is_string()) return std::unexpected(wrong_type(where, "a string"));
        const auto name = Name::parse(network.get_ref<const std::string&>(), where);
        if (!name) return std::unexpected(name.error());
        interface.network = name->text();
        return {};
    });
    fields.each("addresses", 2, [&](const json& address, const std::string& where) {
        return parse_address(address, where, interface.addresses);
    });
    fields.read("ipv4", [&](const json& source, const std::string& where) {
        return parse_source(source, where, "dhcp", interface.dhcp);
    });
    fields.read("ipv6", [&](const json& source, const std::string& where) {
        return parse_source(source, where, "slaac", interface.slaac);
    });
    fields.read("mac", [&](const json& mac, const std::string& where) -> Result<void> {
        const auto text = read_text(mac, where, kAddressText);
        if (!text) return std::unexpected(text.error());
        auto read = read_mac(*text, where);
        if (!read) return std::unexpected(read.error());
        interface.mac = *std::move(read);
        return {};
    });
    fields.read("mtu", [&](const json& mtu, const std::string& where) { return parse_mtu(mtu, where, interface.mtu); });
    fields.text("name", interface.name, SpecLimits::interface_name_bytes);
    if (!interface.name.empty())
        if (auto good = check_interface_name(interface.name, fields.at("name")); !good) fields.fail(good.error());
    if (auto good = check_learned(interface, at); !good) fields.fail(good.error());
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return interface;
}

/// One that a host can have on an interface of its own, and that is not of one link alone.
bool can_be_alias(const IpAddress& address) {
    const auto& bytes = address.bytes;
    if (address.family == Family::ipv4) return bytes[0] != 0 && bytes[0] < 0xe0;  // RFC 1112 §4 and beyond
    const bool unspecified = address == IpAddress{.family = Family::ipv6};
    const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80;
    return !unspecified && !link_local && bytes[0] != 0xff;
}

/// "192.0.2.10" is the address alone: /32.
Result<void> parse_alias_address(const json& value, const std::string& at, std::vector<Prefix>& addresses) {
    const auto text = read_text(value, at, kAddressText);
    if (!text) return std::unexpected(text.error());
    if (!text->contains('/')) {
        const auto address = IpAddress::parse(*text);
        if (!address) return std::unexpected(placed(address.error(), at));
        addresses.push_back({.address = *address, .length = address->bits()});
    } else {
        const auto prefix = Prefix::parse(*text);
        if (!prefix) return std::unexpected(placed(prefix.error(), at));
        if (prefix->length == 0)
            return std::unexpected(Error::invalid("invalid_prefix", at, "a prefix length of 0 takes every address"));
        addresses.push_back(*prefix);
    }
    if (can_be_alias(addresses.back().address)) return {};
    return std::unexpected(
        Error::invalid("invalid_address", at, *text + " is no address that an interface of the host can lend"));
}

/// An interface of the host with the jail's addresses there.
Result<InterfaceSpec> parse_alias(const json& value, const std::string& at) {
    InterfaceSpec interface;
    interface.network.clear();
    Fields fields(value, at);
    fields.require("interface");
    fields.text("interface", interface.interface, SpecLimits::interface_name_bytes);
    if (!interface.interface.empty())
        if (auto good = check_host_interface_name(interface.interface, fields.at("interface")); !good)
            fields.fail(good.error());
    fields.require("addresses");
    fields.each("addresses", SpecLimits::aliases, [&](const json& address, const std::string& where) {
        return parse_alias_address(address, where, interface.addresses);
    });
    if (interface.addresses.empty())
        fields.fail(Error::invalid("invalid_value", fields.at("addresses"), "at least one address"));
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return interface;
}

/// No interface and no address is named twice.
Result<void> check_aliases(const std::vector<InterfaceSpec>& interfaces, const std::string& at) {
    std::set<std::string> names;
    std::set<IpAddress> addresses;
    for (std::size_t index = 0; index < interfaces.size(); ++index) {
        const auto& one = interfaces[index];
        const auto here = pointer(at, index);
        if (!names.insert(one.interface).second)
            return std::unexpected(
                Error::invalid("invalid_value", here + "/interface", one.interface + " is named already"));
        for (std::size_t which = 0; which < one.addresses.size(); ++which)
            if (const auto& address = one.addresses[which].address; !addresses.insert(address).second)
                return std::unexpected(Error::invalid("address_in_use", pointer(here + "/addresses", which),
                                                      "the jail has " + address.to_string() + " already"));
    }
    if (addresses.size() > SpecLimits::aliases) return std::unexpected(too_many(at, SpecLimits::aliases));
    return {};
}

/// No two of them have one name inside.
Result<void> check_names(const std::vector<InterfaceSpec>& interfaces, const std::string& at) {
    std::set<std::string> names;
    for (std::size_t index = 0; index < interfaces.size(); ++index) {
        const auto name = interfaces[index].name_at(index);
        if (!names.insert(name).second)
            return std::unexpected(Error::invalid("invalid_value", at + "/" + std::to_string(index) + "/name",
                                                  "another interface of this jail has the name " + name));
    }
    return {};
}

Error wrong_count(NetworkMode mode, const std::string& at) {
    switch (mode) {
        case NetworkMode::vnet:
            return Error::invalid("invalid_value", at, "a jail with its own network stack has at least one interface");
        case NetworkMode::alias:
            return Error::invalid("invalid_value", at, "network mode alias needs an interface of the host");
        case NetworkMode::inherit:
            return Error::invalid("invalid_value", at,
                                  "a jail that shares the host's network stack has no interface of its own");
        case NetworkMode::none:
            return Error::invalid("invalid_value", at, "a jail without network has no interface");
    }
    std::unreachable();
}

}  // namespace

Result<void> parse_nameserver(const json& value, const std::string& at, std::vector<IpAddress>& nameservers) {
    const auto text = read_text(value, at, kAddressText);
    if (!text) return std::unexpected(text.error());
    const auto address = IpAddress::parse(*text);
    if (!address) return std::unexpected(placed(address.error(), at));
    nameservers.push_back(*address);
    return {};
}

Result<void> parse_search(const json& value, const std::string& at, std::vector<std::string>& search) {
    auto domain = read_text(value, at, kDomainBytes);
    if (!domain) return std::unexpected(domain.error());
    if (auto good = check_hostname(*domain, at); !good) return good;
    search.push_back(*std::move(domain));
    return {};
}

std::string InterfaceSpec::name_at(std::size_t index) const {
    return name.empty() ? "vnet" + std::to_string(index) : name;
}

Result<NetworkSpec> parse_network(const json& value, const std::string& at) {
    NetworkSpec network;
    Fields fields(value, at);
    fields.read("mode", [&](const json& mode, const std::string& where) -> Result<void> {
        const auto parsed = parse_mode(mode, where);
        if (!parsed) return std::unexpected(parsed.error());
        network.mode = *parsed;
        return {};
    });
    const bool vnet = network.mode == NetworkMode::vnet;
    const bool has_interfaces = vnet || network.mode == NetworkMode::alias;
    if (fields.has("interfaces") || !vnet) network.interfaces.clear();
    fields.each("interfaces", kMaxInterfaces, [&](const json& element, const std::string& where) -> Result<void> {
        auto parsed =
            network.mode == NetworkMode::alias ? parse_alias(element, where) : parse_interface(element, where);
        if (!parsed) return std::unexpected(parsed.error());
        network.interfaces.push_back(*std::move(parsed));
        return {};
    });
    fields.each("nameservers", SpecLimits::nameservers, [&](const json& element, const std::string& where) {
        return parse_nameserver(element, where, network.nameservers);
    });
    fields.each("search", SpecLimits::search_domains, [&](const json& element, const std::string& where) {
        return parse_search(element, where, network.search);
    });
    if (network.interfaces.empty() == has_interfaces) fields.fail(wrong_count(network.mode, fields.at("interfaces")));
    auto good = network.mode == NetworkMode::alias ? check_aliases(network.interfaces, fields.at("interfaces"))
                                                   : check_names(network.interfaces, fields.at("interfaces"));
    if (!good) fields.fail(good.error());
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return network;
}

json to_json(const NetworkSpec& network) {
    json result{{"mode", to_string(network.mode)}, {"nameservers", json::array()}, {"search", network.search}};
    for (const auto& nameserver : network.nameservers) result["nameservers"].push_back(nameserver.to_string());
    result["interfaces"] = json::array();
    for (const auto& interface : network.interfaces) {
        json addresses = json::array();
        for (const auto& address : interface.addresses) addresses.push_back(address.to_string());
        json one{{"addresses", std::move(addresses)}};
        if (interface.interface.empty())
            one["network"] = interface.network;
        else
            one["interface"] = interface.interface;
        if (interface.dhcp) one["ipv4"] = "dhcp";
        if (interface.slaac) one["ipv6"] = "slaac";
        if (!interface.mac.empty()) one["mac"] = interface.mac;
        if (interface.mtu != 0) one["mtu"] = interface.mtu;
        if (!interface.name.empty()) one["name"] = interface.name;
        result["interfaces"].push_back(std::move(one));
    }
    return result;
}

}  // namespace jaild::model
