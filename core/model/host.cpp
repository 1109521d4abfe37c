#include "core/model/host.h"

#include <nlohmann/json.hpp>

namespace jaild::model {

using nlohmann::json;

std::string_view to_string(CheckState state) {
    switch (state) {
        case CheckState::ok:
            return "ok";
        case CheckState::warning:
            return "warning";
        case CheckState::problem:
            return "problem";
    }
    return "unknown";
}

json to_json(const Check& check) {
    return {{"name", check.name},
            {"state", to_string(check.state)},
            {"detail", check.detail},
            {"remedy", check.remedy.empty() ? json() : json(check.remedy)}};
}

json to_json(const HostInfo& host) {
    json checks = json::array();
    for (const auto& check : host.checks) checks.push_back(to_json(check));
    return {{"os", host.os},
            {"release", host.release},
            {"machine", host.machine},
            {"kernel_driver", host.kernel_driver},
            {"instance", host.instance},
            {"version", host.version},
            {"tls", host.tls},
            {"network_modes", host.network_modes},
            {"root_kinds", host.root_kinds},
            {"limits", host.limits},
            {"parameters", host.parameters},
            {"checks", std::move(checks)},
            {"jails", host.jails},
            {"running", host.running}};
}

}  // namespace jaild::model
