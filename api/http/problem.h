#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "api/http/message.h"
#include "core/base/error.h"

/// RFC 9457 problem details: the only form in which this API refuses.
namespace jaild::api {

/// By the error's reason where it has a status of its own ("precondition_required": 428), else by its code.
unsigned status_of(const Error& error);
/// For a problem that was kept as text: a reason, or the name of an Errc. One that nobody knows is 500.
unsigned status_of_code(std::string_view code);
/// "Not Found"
std::string_view phrase_of(unsigned status);

/// {"type", "title", "status", "code", "detail", "field"?, "remedy"?, "errno"?}, with Retry-After for what passes.
Response problem(const Error& error);
/// The same with further members, for instance "operation".
Response problem(const Error& error, const nlohmann::json& extension);

/// All reasons that have a status of their own: openapi/jaild.yaml lists them.
struct CodeStatus {
    std::string_view code;
    unsigned status;
};
std::span<const CodeStatus> code_statuses();

}  // namespace jaild::api
