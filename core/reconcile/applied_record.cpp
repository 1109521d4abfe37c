#include "core/reconcile/applied_record.h"

#include <nlohmann/json.hpp>

namespace jaild::reconcile {

std::string encode(const MadeWith& made) {
    nlohmann::json addresses = nlohmann::json::array();
    for (const Prefix& address : made.addresses) addresses.push_back(address.to_string());
    return nlohmann::json{{"spec", model::to_json(made.spec, model::Secrets::keep)},
                          {"addresses", std::move(addresses)},
                          {"command_spent", made.command_spent}}
        .dump();
}

std::optional<MadeWith> decode(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("spec")) return std::nullopt;

    auto spec = model::parse_spec(json["spec"]);
    if (!spec) return std::nullopt;
    MadeWith made{.spec = *std::move(spec), .addresses = {}};

    for (const auto& item : json.value("addresses", nlohmann::json::array())) {
        if (!item.is_string()) return std::nullopt;
        auto address = Prefix::parse(item.get<std::string>());
        if (!address) return std::nullopt;
        made.addresses.push_back(*address);
    }
    const auto spent = json.find("command_spent");
    made.command_spent = spent != json.end() && spent->is_boolean() && spent->get<bool>();
    return made;
}

}  // namespace jaild::reconcile
