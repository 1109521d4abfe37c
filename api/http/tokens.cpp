#include "api/http/tokens.h"

#include <fmt/format.h>

namespace jaild::api {
namespace {

constexpr std::string_view kScheme = "Bearer ";

}  // namespace

Result<Tokens> Tokens::create(const std::vector<Token>& tokens) {
    Tokens made;
    for (const auto& token : tokens) {
        const auto digest = token.sha256.empty() ? std::optional(sha256(token.value)) : digest_from_hex(token.sha256);
        if (token.name.empty() || token.value.empty() == token.sha256.empty() || !digest)
            return std::unexpected(
                Error::invalid("invalid_token", "",
                               fmt::format("token \"{}\" needs a name and either a value or its SHA-256", token.name)));
        made.known_.push_back(
            {.digest = *digest, .caller = {.principal = fmt::format("token:{}", token.name), .role = token.role}});
    }
    return made;
}

Result<Caller> Tokens::caller_of(const Request& request) const {
    const auto value = request.field("Authorization");
    const bool bearer = value && request.count("Authorization") == 1 && value->size() > kScheme.size() &&
                        equal_ignoring_case(value->substr(0, kScheme.size()), kScheme);
    if (!bearer)
        return std::unexpected(Error{.code = Errc::denied,
                                     .op = "authenticate",
                                     .detail = "this port wants a bearer token",
                                     .reason = "token_required",
                                     .remedy = "send \"Authorization: Bearer TOKEN\" (jaildctl: JAILD_TOKEN)"});
    const auto digest = sha256(value->substr(value->find_first_not_of(' ', kScheme.size())));
    const Known* found = nullptr;
    for (const auto& known : known_)
        if (equal_in_constant_time(known.digest, digest)) found = &known;
    if (found) return found->caller;
    return std::unexpected(Error{.code = Errc::denied,
                                 .op = "authenticate",
                                 .detail = "this token is not known here",
                                 .reason = "token_unknown",
                                 .remedy = "compare it with [[token]] in jaild's configuration"});
}

}  // namespace jaild::api
