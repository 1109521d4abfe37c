#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http/message.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/caller.h"

namespace jaild::api {

/// A bearer token (RFC 6750) as the configuration gives it: in the clear, or as the SHA-256 of its value.
struct Token {
    std::string name;
    std::string value{};   ///< or empty
    std::string sha256{};  ///< 64 hexadecimal digits, or empty
    Role role = Role::viewer;
};

/// Keeps digests only.
class Tokens {
public:
    /// Errc::invalid "invalid_token" for one without name, or with neither or both of value and sha256.
    static Result<Tokens> create(const std::vector<Token>& tokens);
    [[nodiscard]] bool empty() const { return known_.empty(); }
    /// Errc::denied "token_required", "token_unknown". All tokens are compared, in constant time.
    [[nodiscard]] Result<Caller> caller_of(const Request& request) const;

private:
    struct Known {
        Digest digest;
        Caller caller;
    };
    std::vector<Known> known_;
};

}  // namespace jaild::api
