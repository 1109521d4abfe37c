#include "core/model/name.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace jaild::model {

Result<Name> Name::parse(std::string_view text, std::string_view field) {
    const auto refused = [&](const char* why) {
        return std::unexpected(Error::invalid("invalid_name", std::string(field), why));
    };
    if (text.empty()) return refused("a name is not empty");
    if (text.size() > kMaxLength) return refused("a name has at most 63 characters");
    if (!is_alphanumeric(text.front())) return refused("a name begins with a letter or a digit");
    if (!std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; }))
        return refused("a name holds letters, digits, \"_\" and \"-\" only");
    if (std::ranges::all_of(text, is_digit)) return refused("a name of digits only is a jid to jail(8): add a letter");
    return Name(std::string(text));
}

std::string Name::key() const {
    auto key = text_;
    for (auto& c : key)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return key;
}

}  // namespace jaild::model
