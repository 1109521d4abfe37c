#include "core/model/status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace jaild::model {

using nlohmann::json;

namespace {

/// 0 means that there is none.
json number_or_null(std::int64_t value) {
    return value == 0 ? json() : json(value);
}

json texts(const std::vector<Prefix>& addresses) {
    json list = json::array();
    for (const auto& address : addresses) list.push_back(address.to_string());
    return list;
}

json to_json(const InterfaceStatus& interface) {
    return {{"name", interface.name}, {"network", interface.network}, {"addresses", texts(interface.addresses)}};
}

json to_json(const Condition& condition) {
    return {{"type", condition.type},
            {"status", condition.status},
            {"reason", condition.reason},
            {"message", condition.message},
            {"since", condition.since.to_string()}};
}

}  // namespace

std::string_view to_string(JailState state) {
    switch (state) {
        case JailState::importing:
            return "importing";
        case JailState::stopped:
            return "stopped";
        case JailState::starting:
            return "starting";
        case JailState::running:
            return "running";
        case JailState::stopping:
            return "stopping";
        case JailState::failed:
            return "failed";
        case JailState::dying:
            return "dying";
    }
    return "unknown";
}

json to_json(const LastExit& exit) {
    return {{"exit_code", exit.exit_code},
            {"signal", number_or_null(exit.signal)},
            {"reason", exit.reason},
            {"at", exit.at.to_string()},
            {"ran_seconds", static_cast<double>(exit.ran.count()) / 1000}};
}

json to_json(const JailStatus& status) {
    json interfaces = json::array();
    for (const auto& interface : status.interfaces) interfaces.push_back(to_json(interface));
    json conditions = json::array();
    for (const auto& condition : status.conditions) conditions.push_back(to_json(condition));
    return {{"state", to_string(status.state)},
            {"jid", number_or_null(status.jid)},
            {"pid", number_or_null(status.pid)},
            {"command_pid", number_or_null(status.command_pid)},
            {"addresses", texts(status.addresses)},
            {"interfaces", std::move(interfaces)},
            {"last_exit", status.last_exit ? to_json(*status.last_exit) : json()},
            {"limit_breaches", status.limit_breaches},
            {"restarts", status.restarts},
            {"health", status.health ? to_json(*status.health) : json()},
            {"observed_generation", status.observed_generation},
            {"conditions", std::move(conditions)}};
}

void set_condition(std::vector<Condition>& conditions, Condition condition) {
    const auto found = std::ranges::find(conditions, condition.type, &Condition::type);
    if (found == conditions.end()) {
        conditions.push_back(std::move(condition));
        return;
    }
    if (found->status == condition.status && found->reason == condition.reason) condition.since = found->since;
    *found = std::move(condition);
}

}  // namespace jaild::model
