#include "api/http/problem.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/http/json.h"

namespace jaild::api {
namespace {

/// The codes of the HTTP layer, and those of core whose status is not that of their Errc or which reach us as text (the
/// problem of an operation).
constexpr auto kStatuses = std::to_array<CodeStatus>({
    // what is not HTTP, or not JSON, as this server takes it
    {"bad_request", 400},
    {"bad_target", 400},
    {"bad_host", 400},
    {"bad_framing", 400},
    {"invalid_utf8", 400},
    {"malformed_json", 400},
    {"json_too_deep", 400},
    {"duplicate_key", 400},
    {"unknown_parameter", 400},
    {"duplicate_parameter", 400},
    {"invalid_parameter", 400},
    {"invalid_cursor", 400},
    {"invalid_precondition", 400},
    {"invalid_idempotency_key", 400},
    {"unexpected_body", 400},
    {"client_closed", 400},
    {"tls_on_plain_port", 400},
    // who asks
    {"token_required", 401},
    {"token_unknown", 401},
    {"peer_refused", 403},
    {"role_too_low", 403},
    // where
    {"route_not_found", 404},
    {"method_not_allowed", 405},
    {"host_not_allowed", 421},
    {"events_gone", 410},
    // bounds and forms
    {"request_timeout", 408},
    {"body_too_large", 413},
    {"target_too_long", 414},
    {"unsupported_media_type", 415},
    {"expectation_failed", 417},
    {"upgrade_required", 426},
    {"precondition_required", 428},
    {"header_too_large", 431},
    {"unsupported_transfer_coding", 501},
    {"unsupported_version", 505},
    // what passes
    {"too_many_connections", 503},
    {"too_many_streams", 503},
    {"too_many_uploads", 503},
    {"too_many_programs", 503},
    {"too_many_exports", 503},
    {"too_many_imports", 503},
    {"jail_not_answering", 503},
    {"not_ready", 503},
    {"workers_exhausted", 503},
    {"stopping", 503},
    // ours
    {"internal", 500},
    // of operations, known here by their text only
    {"command_failed", 422},
    {"start_failed", 422},
    {"name_in_use", 409},
    {"path_in_use", 409},
    {"address_in_use", 409},
    {"operation_cancelled", 409},
    {"addresses_exhausted", 507},
    {"jail_not_found", 404},
    {"import_interrupted", 409},
    {"disk_full", 507},
});

constexpr auto kErrcs = std::to_array<std::pair<Errc, unsigned>>({{Errc::invalid, 422},
                                                                  {Errc::not_found, 404},
                                                                  {Errc::conflict, 409},
                                                                  {Errc::stale, 412},
                                                                  {Errc::busy, 503},
                                                                  {Errc::exhausted, 507},
                                                                  {Errc::denied, 403},
                                                                  {Errc::unsupported, 422},
                                                                  {Errc::kernel, 500},
                                                                  {Errc::corrupt, 500}});

constexpr auto kPhrases =
    std::to_array<std::pair<unsigned, std::string_view>>({{100, "Continue"},
                                                          {200, "OK"},
                                                          {201, "Created"},
                                                          {202, "Accepted"},
                                                          {204, "No Content"},
                                                          {304, "Not Modified"},
                                                          {400, "Bad Request"},
                                                          {401, "Unauthorized"},
                                                          {403, "Forbidden"},
                                                          {404, "Not Found"},
                                                          {405, "Method Not Allowed"},
                                                          {408, "Request Timeout"},
                                                          {409, "Conflict"},
                                                          {410, "Gone"},
                                                          {412, "Precondition Failed"},
                                                          {413, "Content Too Large"},
                                                          {414, "URI Too Long"},
                                                          {415, "Unsupported Media Type"},
                                                          {417, "Expectation Failed"},
                                                          {421, "Misdirected Request"},
                                                          {422, "Unprocessable Content"},
                                                          {426, "Upgrade Required"},
                                                          {428, "Precondition Required"},
                                                          {431, "Request Header Fields Too Large"},
                                                          {500, "Internal Server Error"},
                                                          {501, "Not Implemented"},
                                                          {503, "Service Unavailable"},
                                                          {505, "HTTP Version Not Supported"},
                                                          {507, "Insufficient Storage"}});

std::optional<unsigned> find_status(std::string_view code) {
    const auto own =
        std::find_if(kStatuses.begin(), kStatuses.end(), [&](const auto& row) { return row.code == code; });
    if (own != kStatuses.end()) return own->status;
    const auto by_errc =
        std::find_if(kErrcs.begin(), kErrcs.end(), [&](const auto& row) { return to_string(row.first) == code; });
    if (by_errc != kErrcs.end()) return by_errc->second;
    return std::nullopt;
}

constexpr std::string_view kRetrySeconds = "5";

}  // namespace

std::span<const CodeStatus> code_statuses() {
    return kStatuses;
}

unsigned status_of_code(std::string_view code) {
    return find_status(code).value_or(500);
}

unsigned status_of(const Error& error) {
    if (const auto own = find_status(error.name())) return *own;
    return find_status(to_string(error.code)).value_or(500);
}

std::string_view phrase_of(unsigned status) {
    const auto row =
        std::find_if(kPhrases.begin(), kPhrases.end(), [status](const auto& entry) { return entry.first == status; });
    return row == kPhrases.end() ? "Unknown" : row->second;
}

Response problem(const Error& error) {
    return problem(error, nlohmann::json::object());
}

Response problem(const Error& error, const nlohmann::json& extension) {
    const auto status = status_of(error);
    nlohmann::json body = extension;
    body["type"] = "about:blank";
    body["title"] = phrase_of(status);
    body["status"] = status;
    body["code"] = error.name();
    body["detail"] = error.detail.empty() ? std::string(phrase_of(status)) : error.detail;
    if (!error.field.empty()) body["field"] = error.field;
    if (!error.remedy.empty()) body["remedy"] = error.remedy;
    if (error.sys != 0) body["errno"] = error.sys;

    Response response{.status = status, .content_type = "application/problem+json", .body = dump(body)};
    if (status == 503) response.fields.emplace_back("Retry-After", kRetrySeconds);
    if (status == 401) response.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"jaild\"");
    return response;
}

}  // namespace jaild::api
