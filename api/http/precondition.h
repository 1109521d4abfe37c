#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/message.h"
#include "core/base/error.h"

/// Conditional requests (RFC 9110 §13), preferences (RFC 7240) and retries (Idempotency-Key).
namespace jaild::api {

/// The value of an If-Match or If-None-Match field.
struct EntityTags {
    bool any = false;               ///< "*"
    std::vector<std::string> tags;  ///< quotes included, and W/ of weak ones
    /// The strong comparison of RFC 9110 §8.8.3.2: a weak tag equals none.
    [[nodiscard]] bool strongly_match(std::string_view tag) const;
    /// The weak one, for If-None-Match.
    [[nodiscard]] bool weakly_match(std::string_view tag) const;
};

/// Errc::invalid "invalid_precondition" for what is no list of entity tags. Several fields of the name are one list.
Result<std::optional<EntityTags>> entity_tags(const Request& request, std::string_view field);

/// Seconds of `Prefer: wait=N`, if there is one. What cannot be read is ignored, as RFC 7240 §2 wants.
std::optional<std::int64_t> preferred_wait(const Request& request);

/// 1 … 255 visible ASCII characters; empty when there is none. Errc::invalid "invalid_idempotency_key".
Result<std::string> idempotency_key(const Request& request);
/// What makes two requests the same: SHA-256 of method, target and body.
std::string fingerprint(const Request& request);

}  // namespace jaild::api
