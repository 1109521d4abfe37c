#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace jaild::api {

/// The parameters of a query, decoded, in their order.
class Query {
public:
    void add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }
    /// The first of that name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    /// "true" or "false"; absent is `otherwise`. Errc::invalid "invalid_parameter".
    [[nodiscard]] Result<bool> flag(std::string_view name, bool otherwise) const;
    /// A whole number of low … high. Errc::invalid "invalid_parameter".
    [[nodiscard]] Result<std::int64_t> number(std::string_view name, std::int64_t otherwise, std::int64_t low,
                                              std::int64_t high) const;

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

/// A request target (RFC 9112 §3.2) taken apart and decoded.
struct Target {
    std::vector<std::string> segments;  ///< "/v1/jails/web": "v1", "jails", "web"; empty for "*" and "/"
    Query query;
    std::string authority;  ///< of an absolute form, "host:port"; else empty
    bool asterisk = false;  ///< "*", for OPTIONS
};

/// Origin form, absolute form with http, and "*". Strict: a bad percent sign, a fragment, a raw byte that RFC 3986 does
/// not allow: Errc::invalid "bad_target"; bytes that are not UTF-8 once decoded: "invalid_utf8".
Result<Target> parse_target(std::string_view text);

/// Percent-encodes everything but RFC 3986's unreserved characters.
std::string percent_encode(std::string_view text);

/// Errc::invalid "invalid_parameter" for one that is known but has a wrong value.
Error invalid_parameter(std::string_view name, std::string detail);

}  // namespace jaild::api
