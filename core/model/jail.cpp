#include "core/model/jail.h"

#include <nlohmann/json.hpp>

namespace jaild::model {

nlohmann::json to_json(const Jail& jail) {
    auto status = to_json(jail.status);
    status["generation"] = jail.generation;
    return {{"name", jail.name.text()},
            {"spec", to_json(jail.spec, Secrets::hide)},
            {"status", std::move(status)},
            {"generation", jail.generation},
            {"created_at", jail.created_at.to_string()},
            {"labels", jail.spec.labels},
            {"pool", jail.pool ? nlohmann::json(jail.pool->name) : nlohmann::json()}};
}

std::vector<Prefix> addresses_of(const std::vector<AssignedInterface>& interfaces) {
    std::vector<Prefix> all;
    for (const auto& interface : interfaces)
        all.insert(all.end(), interface.addresses.begin(), interface.addresses.end());
    return all;
}

std::vector<Prefix> Jail::addresses() const {
    if (spec.network.mode != NetworkMode::alias) return addresses_of(interfaces);
    std::vector<Prefix> all;
    for (const auto& interface : spec.network.interfaces)
        all.insert(all.end(), interface.addresses.begin(), interface.addresses.end());
    return all;
}

std::string etag(const Jail& jail) {
    return "\"" + std::to_string(jail.id.value) + "." + std::to_string(jail.generation) + "\"";
}

}  // namespace jaild::model
