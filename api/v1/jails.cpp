#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/precondition.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"
#include "api/v1/jail_filter.h"

namespace jaild::api::v1 {
namespace {

constexpr char kCursorMark = 'j';  // of this kind of list: a cursor of another one is refused

Result<JailId> parse_cursor(std::string_view text) {
    auto id = text.starts_with(kCursorMark) ? from_base36(text.substr(1)) : Result<std::uint64_t>(std::uint64_t{0});
    if (id && *id > 0 && *id <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return JailId{static_cast<std::int64_t>(*id)};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "query",
                                 .detail = "this is no cursor of this list",
                                 .reason = "invalid_cursor",
                                 .remedy = "take it from Link: rel=\"next\""});
}

Result<JailQuery> parse_jail_query(const Query& query) {
    auto filtered = jail_filter(query);
    if (!filtered) return filtered;
    auto wanted = *std::move(filtered);
    auto limit = query.number("limit", kPageDefault, 1, kPageMax);
    if (!limit) return std::unexpected(limit.error());
    wanted.limit = static_cast<std::size_t>(*limit);
    if (const auto cursor = query.find("cursor")) {
        auto after = parse_cursor(*cursor);
        if (!after) return std::unexpected(after.error());
        wanted.after = *after;
    }
    return wanted;
}

std::string to_cursor(JailId after) {
    return kCursorMark + to_base36(static_cast<std::uint64_t>(after.value));
}

/// The same list, further on.
std::string next_link(const Query& query, const std::string& cursor) {
    auto link = fmt::format("</v1/jails?cursor={}", cursor);
    for (const auto& [name, value] : query.items())
        if (name != "cursor") link += fmt::format("&{}={}", name, percent_encode(value));
    return link + ">; rel=\"next\"";
}

}  // namespace

Response list_jails(Service& service, const Request& request) {
    auto wanted = parse_jail_query(request.target.query);
    if (!wanted) return problem(wanted.error());
    auto page = service.supervisor.list(request.caller, *wanted);
    if (!page) return problem(page.error());
    // Each as GET shows it; kept by core as text, so a long list costs no more than its bytes.
    Response response{.body = "{\"items\":["};
    for (const auto& jail : page->items) {
        if (response.body.back() != '[') response.body += ',';
        auto document = service.supervisor.document(request.caller, jail.name);
        response.body += document ? *document->json : dump(model::to_json(jail));
    }
    response.body += ']';
    if (page->next != JailId{}) {
        const auto cursor = to_cursor(page->next);
        response.body += fmt::format(",\"next\":\"{}\"", cursor);
        response.fields.emplace_back("Link", next_link(request.target.query, cursor));
    }
    response.body += '}';
    return response;
}

Response get_jail(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) return problem(name.error());
    auto known = entity_tags(request, "If-None-Match");
    if (!known) return problem(known.error());
    auto document = service.supervisor.document(request.caller, *name);
    if (!document) return problem(document.error());
    Response response;
    if (*known && (*known)->weakly_match(document->etag))
        response.status = 304;
    else
        response.document = std::move(document->json);
    response.fields.emplace_back("ETag", std::move(document->etag));
    return response;
}

Answer plan_jail(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto plan = co_await offload_through(service.gates, name->key(), service.jail_pool,
                                         [&] { return service.supervisor.plan(request.caller, *name); });
    if (!plan) co_return problem(plan.error());
    co_return answer_json({{"plan", *plan}});
}

}  // namespace jaild::api::v1
