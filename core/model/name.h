#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild::model {

/// A jail's, network's or template's name: `^(?![0-9]+$)[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`. An all-digit name is a jid
/// to jail(8), a dot is its hierarchy; so both are refused. Unique without regard to case.
class Name {
public:
    static constexpr std::size_t kMaxLength = 63;
    /// `field`: the JSON pointer that the Error names.
    static Result<Name> parse(std::string_view text, std::string_view field = "/name");
    [[nodiscard]] const std::string& text() const { return text_; }
    /// Lower case, for comparing.
    [[nodiscard]] std::string key() const;
    auto operator<=>(const Name&) const = default;

private:
    explicit Name(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace jaild::model
