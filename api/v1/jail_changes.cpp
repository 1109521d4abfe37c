#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/precondition.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"
#include "api/v1/offload_change.h"

namespace jaild::api::v1 {
namespace {

/// What a change of one jail says beside its body.
struct ChangeRequest {
    model::Name name;
    Precondition precondition;
    DryRun dry_run = DryRun::no;
    bool restart = false;
    bool force = false;
};

Result<ChangeRequest> change_of(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) return std::unexpected(name.error());
    auto precondition = precondition_of(service, request, *name);
    if (!precondition) return std::unexpected(precondition.error());
    auto dry_run = dry_run_of(request);
    if (!dry_run) return std::unexpected(dry_run.error());
    auto restart = request.target.query.flag("restart", false);
    if (!restart) return std::unexpected(restart.error());
    auto force = request.target.query.flag("force", false);
    if (!force) return std::unexpected(force.error());
    return ChangeRequest{.name = *std::move(name),
                         .precondition = *std::move(precondition),
                         .dry_run = *dry_run,
                         .restart = *restart,
                         .force = *force};
}

}  // namespace

Answer create_jail(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    auto dry_run = dry_run_of(request);
    if (!dry_run) co_return problem(dry_run.error());
    auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    // Its name is still to be read, and there is nothing yet that could hang: all share one gate.
    auto accepted = co_await offload_change(service, "/create", *dry_run, [&]() -> Result<Accepted> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto spec = model::parse_named_spec(*body);
        if (!spec) return std::unexpected(spec.error());
        return service.supervisor.create(request.caller, *std::move(spec), *dry_run, *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::create, *dry_run);
}

Answer replace_jail(Service& service, const Request& request) {
    auto change = change_of(service, request);
    if (!change) co_return problem(change.error());
    auto accepted = co_await offload_change(service, change->name.key(), change->dry_run, [&]() -> Result<Accepted> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        return service.supervisor.replace(request.caller, change->name, *std::move(body), change->precondition,
                                          change->restart, change->dry_run);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::replace, change->dry_run);
}

Answer patch_jail(Service& service, const Request& request) {
    auto change = change_of(service, request);
    if (!change) co_return problem(change.error());
    auto accepted = co_await offload_change(service, change->name.key(), change->dry_run, [&]() -> Result<Accepted> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        return service.supervisor.patch(request.caller, change->name, *std::move(body), change->precondition,
                                        change->restart, change->dry_run);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::patch, change->dry_run);
}

Answer delete_jail(Service& service, const Request& request) {
    auto change = change_of(service, request);
    if (!change) co_return problem(change.error());
    auto accepted = co_await offload_change(service, change->name.key(), change->dry_run, [&] {
        return service.supervisor.remove(request.caller, change->name, change->precondition, change->force,
                                         change->dry_run);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::remove, change->dry_run);
}

Answer restart_jail(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto precondition = precondition_of(service, request, *name);
    if (!precondition) co_return problem(precondition.error());
    auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(
        service.pool, [&] { return service.supervisor.restart(request.caller, *name, *precondition, *retry); });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::restart, DryRun::no);
}

}  // namespace jaild::api::v1
