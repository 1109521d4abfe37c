#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

using nlohmann::json;

json items_of(const std::vector<model::Snapshot>& snapshots) {
    auto items = json::array();
    for (const auto& each : snapshots) items.push_back(model::to_json(each));
    return items;
}

/// The name of the new jail, which goes from the body.
Result<model::Name> take_name(json& body) {
    if (!body.is_object()) return std::unexpected(Error::invalid("wrong_type", "", "must be an object"));
    const auto name = body.find("name");
    if (name == body.end())
        return std::unexpected(Error::invalid("missing_field", "/name", "the name of the new jail is missing"));
    if (!name->is_string()) return std::unexpected(Error::invalid("wrong_type", "/name", "must be a string"));
    auto parsed = model::Name::parse(name->get_ref<const std::string&>(), "/name");
    if (parsed) body.erase(name);
    return parsed;
}

}  // namespace

Answer list_snapshots(Service& service, const Request& request) {
    auto snapshots =
        co_await offload(service.pool, [&] { return service.supervisor.snapshots(request.caller, std::nullopt); });
    if (!snapshots) co_return problem(snapshots.error());
    co_return answer_items(items_of(*snapshots));
}

Answer list_snapshots_of_jail(Service& service, const Request& request) {
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    auto snapshots =
        co_await offload(service.pool, [&] { return service.supervisor.snapshots(request.caller, *jail); });
    if (!snapshots) co_return problem(snapshots.error());
    co_return answer_items(items_of(*snapshots));
}

Answer get_snapshot(Service& service, const Request& request) {
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    auto found = co_await offload(service.pool,
                                  [&] { return service.supervisor.get_snapshot(request.caller, *jail, request.item); });
    if (!found) co_return problem(found.error());
    co_return answer_json(model::to_json(*found));
}

Answer create_snapshot(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(service.pool, [&]() -> Result<AcceptedSnapshot> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto asked = model::parse_snapshot_request(*body);
        if (!asked) return std::unexpected(asked.error());
        return service.supervisor.create_snapshot(request.caller, *jail, *std::move(asked), *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_snapshot_change(service, request, *std::move(accepted));
}

Answer delete_snapshot(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    auto accepted = co_await offload(
        service.pool, [&] { return service.supervisor.remove_snapshot(request.caller, *jail, request.item); });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_snapshot_change(service, request, *std::move(accepted));
}

Answer restore_snapshot(Service& service, const Request& request) {
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    const auto precondition = precondition_of(service, request, *jail);
    if (!precondition) co_return problem(precondition.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(service.pool, [&] {
        return service.supervisor.restore_snapshot(request.caller, *jail, request.item, *precondition, *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::restart, DryRun::no);
}

Answer clone_snapshot(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto jail = name_of(request);
    if (!jail) co_return problem(jail.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(service.pool, [&]() -> Result<Accepted> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto name = take_name(*body);
        if (!name) return std::unexpected(name.error());
        return service.supervisor.clone_snapshot(request.caller, *jail, request.item, *std::move(name),
                                                 *std::move(body), *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::create, DryRun::no);
}

}  // namespace jaild::api::v1
