#include "core/model/parameters.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/model/fields.h"

namespace jaild::model {
namespace {

constexpr std::string_view kNo = "no";

/// By its own name or by the one with "no", or without.
bool speaks_of(const Parameters& all, const std::string& name) {
    return all.contains(name) || all.contains(with_no(name)) || all.contains(without_no(name));
}

std::size_t last_part(std::string_view name) {
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos ? 0 : dot + 1;
}

std::optional<bool> as_boolean(const ParameterValue& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr || (*number != 0 && *number != 1)) return std::nullopt;
    return *number == 1;
}

/// They permit a jail nothing outside itself, whatever their value.
constexpr std::array kOwnAffair{std::string_view("allow.chflags"),
                                std::string_view("allow.raw_sockets"),
                                std::string_view("allow.reserved_ports"),
                                std::string_view("allow.set_hostname"),
                                std::string_view("allow.unprivileged_proc_debug"),
                                std::string_view("host.domainname"),
                                std::string_view("host.hostid"),
                                std::string_view("host.hostuuid"),
                                std::string_view("osreldate"),
                                std::string_view("osrelease"),
                                std::string_view("securelevel")};

/// "allow.x" false, System V objects of its own or none, and no address but its own.
bool only_restricts(const std::string& name, const ParameterValue& value) {
    if (name.starts_with("allow.")) return as_boolean(value) == false;
    const auto* text = std::get_if<std::string>(&value);
    const bool subsystem = name.starts_with("sysv") || name == "ip4" || name == "ip6";
    return subsystem && text != nullptr && (*text == "new" || *text == "disable");
}

bool is_own_affair(std::string_view name) {
    return std::ranges::find(kOwnAffair, name) != kOwnAffair.end();
}

}  // namespace

ParameterValue number_value(std::uint64_t number) {
    if (std::in_range<std::int64_t>(number)) return static_cast<std::int64_t>(number);
    return number;
}

std::string without_no(std::string_view name) {
    const auto at = last_part(name);
    const auto last = name.substr(at);
    if (!last.starts_with(kNo) || last == kNo) return {};
    return std::string(name.substr(0, at)).append(last.substr(kNo.size()));
}

std::string with_no(std::string_view name) {
    return std::string(name).insert(last_part(name), kNo);
}

bool only_at_creation(std::string_view name) {
    return name == "osrelease" || name == "osreldate" || name == "ip4" || name == "ip6";
}

std::vector<std::string> parameters_for_restart(const Parameters& from, const Parameters& to) {
    std::vector<std::string> waiting;
    const auto wait = [&](const std::string& name) { waiting.push_back(pointer("/parameters", name)); };
    for (const auto& [name, value] : from) {
        const auto kept = to.find(name);
        const bool gone = !speaks_of(to, name);
        if (gone || (only_at_creation(name) && kept != to.end() && !same_value(kept->second, value))) wait(name);
    }
    for (const auto& [name, value] : to)
        if (only_at_creation(name) && !from.contains(name)) wait(name);
    std::ranges::sort(waiting);
    return waiting;
}

Parameters running_parameters(const Parameters& made, const Parameters& row) {
    Parameters running = live_parameters(row);
    for (const auto& [name, value] : made)
        if (only_at_creation(name) || !speaks_of(row, name)) running.emplace(name, value);
    return running;
}

Parameters with_more(Parameters made, const Parameters& more) {
    for (const auto& [name, value] : more)
        if (!speaks_of(made, name)) made.emplace(name, value);
    return made;
}

Parameters live_parameters(const Parameters& all) {
    Parameters live = all;
    std::erase_if(live, [](const auto& entry) { return only_at_creation(entry.first); });
    return live;
}

std::optional<std::string> parameter_for_admins(const Parameters& from, const Parameters& to) {
    for (const auto& [name, value] : to) {
        const auto before = from.find(name);
        if (before != from.end() && same_value(before->second, value)) continue;
        if (!is_own_affair(name) && !is_own_affair(without_no(name)) && !only_restricts(name, value)) return name;
    }
    return std::nullopt;
}

bool same_value(const ParameterValue& one, const ParameterValue& other) {
    if (one == other) return true;
    const auto flag = as_boolean(one);
    return flag && flag == as_boolean(other);
}

}  // namespace jaild::model
