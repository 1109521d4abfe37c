#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/model/jail_spec.h"
#include "tests/results.h"

namespace jaild::test {

inline nlohmann::json parsed(const std::string& text) {
    return nlohmann::json::parse(text);
}

inline model::JailSpec spec(const std::string& text) {
    return value_of(model::parse_spec(parsed(text)));
}

/// The Error's name and field, "too_long /hostname": what a program sees.
inline std::string refusal_of(const nlohmann::json& document) {
    const auto error = error_of(model::parse_spec(document));
    return std::string(error.name()) + " " + error.field;
}

inline std::string refusal(const std::string& text) {
    return refusal_of(parsed(text));
}

}  // namespace jaild::test
