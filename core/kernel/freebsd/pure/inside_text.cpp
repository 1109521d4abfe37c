#include "core/kernel/freebsd/pure/inside_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/base/ascii.h"

namespace jaild::kernel::freebsd {
namespace {

Error not_understood(std::string_view text) {
    return Error{.code = Errc::corrupt, .op = "jaild-inside", .detail = "not understood: " + std::string(text)};
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "mtu=1500"
struct Pair {
    std::string_view key;
    std::string_view value;
};
std::optional<Pair> split(std::string_view token) {
    const auto equals = token.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    return Pair{token.substr(0, equals), token.substr(equals + 1)};
}

template <class Value>
bool append(std::vector<Value>& list, std::string_view text) {
    auto value = Value::parse(text);
    if (!value) return false;
    list.push_back(*value);
    return true;
}

template <class Number>
bool assign(Number& to, std::string_view text) {
    const auto value = number<Number>(text);
    if (value) to = *value;
    return value.has_value();
}

bool assign_flag(bool& to, std::string_view text) {
    to = text == "1";
    return text == "0" || text == "1";
}

bool assign_learns(Learns& to, std::string_view text) {
    if (text == "addresses") to = Learns::addresses;
    if (text == "addresses_and_route") to = Learns::addresses_and_route;
    return to != Learns::nothing;
}

bool take(InsideLink& link, const Pair& pair) {
    if (pair.key == "link") return assign(link.index, pair.value) && link.index < kMaxInterfaces;
    if (pair.key == "name") return !(link.name = pair.value).empty();
    if (pair.key == "host_name") return !(link.host_name = pair.value).empty();
    if (pair.key == "mark") return !(link.mark = pair.value).empty();
    if (pair.key == "host_mac") return !(link.host_mac = pair.value).empty();
    if (pair.key == "jail_mac") return !(link.jail_mac = pair.value).empty();
    if (pair.key == "mtu") return assign(link.mtu, pair.value);
    if (pair.key == "outside") return assign_flag(link.host_end_outside, pair.value);
    if (pair.key == "address") return append(link.addresses, pair.value);
    if (pair.key == "gateway") return append(link.gateways, pair.value);
    if (pair.key == "slaac") return assign_learns(link.slaac, pair.value);
    if (pair.key == "dhcp") return assign_flag(link.dhcp, pair.value);
    return false;
}

bool take(InsideEnd& end, const Pair& pair) {
    if (pair.key == "ends") return assign(end.ends, pair.value);
    if (pair.key == "name") return !(end.name = pair.value).empty();
    if (pair.key == "up") return assign_flag(end.up, pair.value);
    if (pair.key == "mtu") return assign(end.mtu, pair.value);
    if (pair.key == "mac") return !(end.mac = pair.value).empty();
    if (pair.key == "advertised") return assign_flag(end.advertised, pair.value);
    if (pair.key == "address") return append(end.addresses, pair.value);
    if (pair.key == "gateway") return append(end.gateways, pair.value);
    return false;
}

bool take(InsideView& view, const Pair& pair) {
    if (pair.key == "jid") return assign(view.jid, pair.value);
    if (pair.key != "link") return !view.links.empty() && take(view.links.back(), pair);
    auto& end = view.links.emplace_back();
    return assign(end.index, pair.value) && end.index < kMaxInterfaces;
}

std::string_view next(std::string_view& rest, char separator) {
    const auto end = rest.find(separator);
    const auto part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

constexpr std::array<std::string_view, 6> kReasons{"jail_not_found", "name_in_use",         "ipv6_unavailable",
                                                   "module_missing", "dhcp_client_missing", "dhcp_client_failed"};
constexpr std::array<Errc, 10> kCodes{Errc::invalid,   Errc::not_found, Errc::conflict,    Errc::stale,  Errc::busy,
                                      Errc::exhausted, Errc::denied,    Errc::unsupported, Errc::kernel, Errc::corrupt};

}  // namespace

std::vector<std::string> to_arguments(const JailReference& jail) {
    return {std::to_string(jail.jid), jail.name, jail.path};
}

Result<std::vector<JailReference>> parse_jails(std::span<const std::string> arguments) {
    if (arguments.size() % 3 != 0) return std::unexpected(not_understood("a jail is its jid, name and path"));
    std::vector<JailReference> jails;
    for (std::size_t at = 0; at < arguments.size(); at += 3) {
        const auto jid = number<int>(arguments[at]);
        if (!jid || *jid <= 0) return std::unexpected(not_understood(arguments[at]));
        jails.push_back({.jid = *jid, .name = arguments[at + 1], .path = arguments[at + 2]});
    }
    return jails;
}

std::vector<std::string> to_arguments(const InsideLink& link) {
    std::vector<std::string> arguments{
        "link=" + std::to_string(link.index), "name=" + link.name,
        "host_name=" + link.host_name,        "mark=" + link.mark,
        "host_mac=" + link.host_mac,          "jail_mac=" + link.jail_mac,
        "mtu=" + std::to_string(link.mtu),    std::string("outside=") + (link.host_end_outside ? "1" : "0")};
    for (const auto& address : link.addresses) arguments.push_back("address=" + address.to_string());
    for (const auto& gateway : link.gateways) arguments.push_back("gateway=" + gateway.to_string());
    if (link.slaac == Learns::addresses) arguments.emplace_back("slaac=addresses");
    if (link.slaac == Learns::addresses_and_route) arguments.emplace_back("slaac=addresses_and_route");
    if (link.dhcp) arguments.emplace_back("dhcp=1");
    return arguments;
}

Result<InsideLink> parse_link(std::span<const std::string> arguments) {
    InsideLink link;
    for (const auto& argument : arguments) {
        const auto pair = split(argument);
        if (!pair || !take(link, *pair)) return std::unexpected(not_understood(argument));
    }
    if (link.name.empty() || link.host_name.empty() || link.mark.empty() || link.host_mac.empty() ||
        link.jail_mac.empty())
        return std::unexpected(not_understood("a link without a name, a mark or an address"));
    return link;
}

Result<unsigned> parse_link_index(std::string_view argument) {
    const auto index = number<unsigned>(argument);
    if (!index || *index >= kMaxInterfaces) return std::unexpected(not_understood(argument));
    return *index;
}

std::string to_text(const InsideView& view) {
    std::string text = "view jid=" + std::to_string(view.jid);
    for (const auto& end : view.links) {
        text += " link=" + std::to_string(end.index) + " ends=" + std::to_string(end.ends);
        if (!end.name.empty()) text += " name=" + safe_name(end.name);
        text += (end.up ? " up=1" : " up=0") + (" mtu=" + std::to_string(end.mtu));
        if (!end.mac.empty()) text += " mac=" + end.mac;
        if (end.advertised) text += " advertised=1";
        for (const auto& address : end.addresses) text += " address=" + address.to_string();
        for (const auto& gateway : end.gateways) text += " gateway=" + gateway.to_string();
    }
    return text + "\n";
}

std::string safe_name(std::string_view name) {
    std::string safe(name);
    std::ranges::replace_if(
        safe, [](char c) { return !is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '_'; }, '?');
    return safe;
}

const InsideEnd* InsideView::link(unsigned index) const {
    const auto found = std::ranges::find(links, index, &InsideEnd::index);
    return found == links.end() ? nullptr : &*found;
}

Result<std::vector<InsideView>> parse_views(std::string_view text) {
    std::vector<InsideView> views;
    if (!text.empty() && text.back() != '\n') return std::unexpected(not_understood("half a line"));
    while (!text.empty()) {
        const auto line = next(text, '\n');
        auto rest = line;
        if (next(rest, ' ') != "view") return std::unexpected(not_understood(line));
        InsideView view;
        while (!rest.empty()) {
            const auto pair = split(next(rest, ' '));
            if (!pair || !take(view, *pair)) return std::unexpected(not_understood(line));
        }
        if (view.jid <= 0) return std::unexpected(not_understood(line));
        views.push_back(std::move(view));
    }
    return views;
}

std::string jid_text(int jid) {
    return "jid=" + std::to_string(jid) + "\n";
}

Result<int> parse_jid_text(std::string_view text) {
    auto rest = text;
    const auto pair = split(next(rest, '\n'));
    const auto jid = pair && pair->key == "jid" ? number<int>(pair->value) : std::nullopt;
    if (!jid || *jid <= 0 || !rest.empty()) return std::unexpected(not_understood(text));
    return *jid;
}

std::string to_text(const Error& error) {
    auto line = "error " + std::string(to_string(error.code)) + " " + std::to_string(error.sys) + " " +
                (error.reason.empty() ? "-" : std::string(error.reason)) + " " + std::string(error.op) + ": " +
                error.detail;
    std::ranges::replace(line, '\n', ' ');
    return line + "\n";
}

Error parse_error(std::string_view text) {
    auto rest = text;
    while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
    if (const auto last = rest.rfind('\n'); last != std::string_view::npos) rest.remove_prefix(last + 1);
    const auto line = rest;
    Error error{.code = Errc::kernel, .op = "jaild-inside", .detail = std::string(line)};
    if (next(rest, ' ') != "error") return error;
    const auto code = next(rest, ' ');
    const auto sys = number<int>(next(rest, ' '));
    const auto reason = next(rest, ' ');
    if (!sys) return error;
    if (const auto* known = std::ranges::find(kCodes, code, [](Errc one) { return to_string(one); });
        known != kCodes.end())
        error.code = *known;
    if (const auto* known = std::ranges::find(kReasons, reason); known != kReasons.end()) error.reason = *known;
    error.sys = *sys;
    error.detail = std::string(rest);
    return error;
}

}  // namespace jaild::kernel::freebsd
