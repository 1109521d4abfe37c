#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

Response show_pool(const ShownPool& shown, unsigned status) {
    auto response = answer_json(model::to_json(shown.pool, shown.status), status);
    if (status == 201) response.fields.emplace_back("Location", "/v1/pools/" + shown.pool.name.text());
    if (shown.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    return response;
}

}  // namespace

Answer list_pools(Service& service, const Request& request) {
    auto pools = co_await offload(service.pool, [&] { return service.supervisor.pools(request.caller); });
    if (!pools) co_return problem(pools.error());
    auto items = nlohmann::json::array();
    for (const auto& each : *pools) items.push_back(model::to_json(each.pool, each.status));
    co_return answer_items(std::move(items));
}

Answer get_pool(Service& service, const Request& request) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto found = co_await offload(service.pool, [&] { return service.supervisor.pool(request.caller, *name); });
    if (!found) co_return problem(found.error());
    co_return show_pool(*found, 200);
}

Answer create_pool(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto made = co_await offload(service.pool, [&]() -> Result<ShownPool> {
        const auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto asked = model::parse_pool(*body);
        if (!asked) return std::unexpected(asked.error());
        return service.supervisor.create_pool(request.caller, *std::move(asked), *retry);
    });
    if (!made) co_return problem(made.error());
    co_return show_pool(*made, 201);
}

Answer patch_pool(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto changed = co_await offload(service.pool, [&]() -> Result<ShownPool> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        return service.supervisor.patch_pool(request.caller, *name, *std::move(body));
    });
    if (!changed) co_return problem(changed.error());
    co_return show_pool(*changed, 200);
}

Answer delete_pool(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto gone = co_await offload(service.pool, [&] { return service.supervisor.remove_pool(request.caller, *name); });
    if (!gone) co_return problem(gone.error());
    co_return Response{.status = 204};
}

Answer take_from_pool(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto taken = co_await offload(service.pool, [&] { return service.supervisor.take(request.caller, *name, *retry); });
    if (!taken) co_return problem(taken.error());
    if (!taken->ready)
        co_return co_await answer_change(service, request, std::move(taken->accepted), Change::create, DryRun::no);
    auto response = answer_json(model::to_json(taken->accepted.jail));
    response.fields.emplace_back("ETag", model::etag(taken->accepted.jail));
    if (taken->accepted.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    co_return response;
}

}  // namespace jaild::api::v1
