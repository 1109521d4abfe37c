#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"
#include "api/v1/offload_change.h"

namespace jaild::api::v1 {
namespace {

/// {"template": "freebsd:14.3"}
Result<model::TemplateRef> target_of(const nlohmann::json& body) {
    if (!body.is_object()) return std::unexpected(Error::invalid("wrong_type", "", "must be an object"));
    for (const auto& [key, value] : body.items())
        if (key != "template")
            return std::unexpected(Error::invalid("unknown_field", "/" + key, "no such field; there is template"));
    const auto wanted = body.find("template");
    if (wanted == body.end())
        return std::unexpected(Error::invalid("missing_field", "/template", "the version to upgrade to is missing"));
    if (!wanted->is_string()) return std::unexpected(Error::invalid("wrong_type", "/template", "must be a string"));
    return model::TemplateRef::parse(wanted->get_ref<const std::string&>());
}

}  // namespace

Answer upgrade_jail(Service& service, const Request& request) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto precondition = precondition_of(service, request, *name);
    if (!precondition) co_return problem(precondition.error());
    const auto dry_run = dry_run_of(request);
    if (!dry_run) co_return problem(dry_run.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    const auto work = [&]() -> Result<Accepted> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        const auto to = target_of(*body);
        if (!to) return std::unexpected(to.error());
        return service.supervisor.upgrade(request.caller, *name, *to, *precondition, *dry_run, *retry);
    };
    auto accepted = co_await offload_change(service, name->key(), *dry_run, work);
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::restart, *dry_run);
}

Answer roll_back_jail(Service& service, const Request& request) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto precondition = precondition_of(service, request, *name);
    if (!precondition) co_return problem(precondition.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(
        service.pool, [&] { return service.supervisor.roll_back(request.caller, *name, *precondition, *retry); });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::restart, DryRun::no);
}

}  // namespace jaild::api::v1
