#include "core/model/jail.h"

#include <nlohmann/json.hpp>

namespace jaild::model {

nlohmann::json to_json(const Jail& jail) {
    auto status = to_json(jail.status);
    status["generation"] = jail.generation;
    return {{"name", jail.name.text()},      {"spec", to_json(jail.spec, Secrets::hide)}, {"status", std::move(status)},
            {"generation", jail.generation}, {"created_at", jail.created_at.to_string()}, {"labels", jail.spec.labels}};
}

std::string etag(const Jail& jail) {
    return "\"" + std::to_string(jail.id.value) + "." + std::to_string(jail.generation) + "\"";
}

}  // namespace jaild::model
