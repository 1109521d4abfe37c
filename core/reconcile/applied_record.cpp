#include "core/reconcile/applied_record.h"

#include <nlohmann/json.hpp>

namespace jaild::reconcile {

std::string encode(const MadeWith& made) {
    nlohmann::json interfaces = nlohmann::json::array();
    for (const auto& interface : made.interfaces) {
        nlohmann::json addresses = nlohmann::json::array();
        for (const Prefix& address : interface.addresses) addresses.push_back(address.to_string());
        interfaces.push_back({{"network", interface.network.value}, {"addresses", std::move(addresses)}});
    }
    return nlohmann::json{{"spec", model::to_json(made.spec, model::Secrets::keep)},
                          {"interfaces", std::move(interfaces)},
                          {"command_spent", made.command_spent},
                          {"restarts", to_json(made.restarts)},
                          {"ending", made.ending},
                          {"lives", made.lives}}
        .dump();
}

namespace {

std::optional<std::vector<Prefix>> addresses_in(const nlohmann::json& object) {
    std::vector<Prefix> addresses;
    for (const auto& item : object.value("addresses", nlohmann::json::array())) {
        if (!item.is_string()) return std::nullopt;
        auto address = Prefix::parse(item.get<std::string>());
        if (!address) return std::nullopt;
        addresses.push_back(*address);
    }
    return addresses;
}

std::optional<std::vector<model::AssignedInterface>> interfaces_in(const nlohmann::json& object) {
    std::vector<model::AssignedInterface> interfaces;
    for (const auto& item : object.value("interfaces", nlohmann::json::array())) {
        if (!item.is_object() || !item.contains("network") || !item["network"].is_number_integer()) return std::nullopt;
        auto addresses = addresses_in(item);
        if (!addresses) return std::nullopt;
        interfaces.push_back(
            {.network = NetworkId{item["network"].get<std::int64_t>()}, .addresses = *std::move(addresses)});
    }
    if (!interfaces.empty() || !object.contains("addresses")) return interfaces;
    // Written when a jail had one interface at most, and there was one network.
    auto addresses = addresses_in(object);
    if (!addresses) return std::nullopt;
    if (!addresses->empty()) interfaces.push_back({.network = NetworkId{1}, .addresses = *std::move(addresses)});
    return interfaces;
}

}  // namespace

std::optional<MadeWith> decode(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("spec")) return std::nullopt;

    auto spec = model::parse_spec(json["spec"]);
    if (!spec) return std::nullopt;
    auto interfaces = interfaces_in(json);
    if (!interfaces) return std::nullopt;
    MadeWith made{.spec = *std::move(spec), .interfaces = *std::move(interfaces)};
    const auto spent = json.find("command_spent");
    made.command_spent = spent != json.end() && spent->is_boolean() && spent->get<bool>();
    if (const auto lives = json.find("lives"); lives != json.end() && lives->is_object())
        for (const auto& [key, life] : lives->items())
            if (life.is_number_integer()) made.lives[key] = life.get<std::int64_t>();
    const auto ending = json.find("ending");
    made.ending = ending != json.end() && ending->is_boolean() && ending->get<bool>();
    if (const auto restarts = json.find("restarts"); restarts != json.end()) made.restarts = parse_restarts(*restarts);
    return made;
}

}  // namespace jaild::reconcile
