#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/precondition.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

nlohmann::json shown_json(const ShownNetwork& shown) {
    return model::to_json(shown.network, shown.jails);
}

Response show_network(const ShownNetwork& shown, unsigned status) {
    auto response = answer_json(shown_json(shown), status);
    response.fields.emplace_back("ETag", model::etag(shown.network));
    if (status == 201) response.fields.emplace_back("Location", "/v1/networks/" + shown.network.name.text());
    if (shown.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    return response;
}

/// A change of a network is done when it is answered: what runs follows.
Response answer_network(const Result<ShownNetwork>& shown, DryRun dry_run) {
    if (!shown) return problem(shown.error());
    if (dry_run == DryRun::yes) return answer_json({{"plan", shown->plan}, {"network", shown_json(*shown)}});
    const bool made = shown->replayed || (shown->changed && shown->network.generation == 1);
    return show_network(*shown, made ? 201 : 200);
}

/// `work` (Result<ShownNetwork>(name, precondition, dry_run)) on the pool. A dry run, which asks the kernel, too: each
/// of its questions is one that no jail can hold up.
template <class Work>
Answer change_network(Service& service, const Request& request, Work work) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto dry_run = dry_run_of(request);
    if (!dry_run) co_return problem(dry_run.error());
    auto shown = co_await offload(service.pool, [&]() -> Result<ShownNetwork> {
        auto precondition = network_precondition_of(service, request, *name);
        if (!precondition) return std::unexpected(precondition.error());
        return work(*name, *std::move(precondition), *dry_run);
    });
    co_return answer_network(shown, *dry_run);
}

}  // namespace

Answer list_networks(Service& service, const Request& request) {
    auto networks = co_await offload(service.pool, [&] { return service.supervisor.networks(request.caller); });
    if (!networks) co_return problem(networks.error());
    auto items = nlohmann::json::array();
    for (const auto& each : *networks) items.push_back(shown_json(each));
    co_return answer_items(std::move(items));
}

Answer get_network(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto known = entity_tags(request, "If-None-Match");
    if (!known) co_return problem(known.error());
    auto found =
        co_await offload(service.pool, [&] { return service.supervisor.network(request.caller, name->text()); });
    if (!found) co_return problem(found.error());
    auto response = show_network(*found, 200);
    if (*known && (*known)->weakly_match(model::etag(found->network))) {
        response.status = 304;
        response.body.clear();
    }
    co_return response;
}

Answer create_network(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto dry_run = dry_run_of(request);
    if (!dry_run) co_return problem(dry_run.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto shown = co_await offload(service.pool, [&]() -> Result<ShownNetwork> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto asked = model::parse_named_network(*body);
        if (!asked) return std::unexpected(asked.error());
        return service.supervisor.create_network(request.caller, *std::move(asked), *dry_run, *retry);
    });
    co_return answer_network(shown, *dry_run);
}

Answer replace_network(Service& service, const Request& request) {
    co_return co_await change_network(
        service, request,
        [&](const model::Name& name, Precondition precondition, DryRun dry_run) -> Result<ShownNetwork> {
            auto body = parse_json(request.body, service.limits.json_depth);
            if (!body) return std::unexpected(body.error());
            return service.supervisor.replace_network(request.caller, name, *std::move(body), std::move(precondition),
                                                      dry_run);
        });
}

Answer patch_network(Service& service, const Request& request) {
    co_return co_await change_network(
        service, request,
        [&](const model::Name& name, Precondition precondition, DryRun dry_run) -> Result<ShownNetwork> {
            auto body = parse_json(request.body, service.limits.json_depth);
            if (!body) return std::unexpected(body.error());
            return service.supervisor.patch_network(request.caller, name, *std::move(body), std::move(precondition),
                                                    dry_run);
        });
}

Answer delete_network(Service& service, const Request& request) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto dry_run = dry_run_of(request);
    if (!dry_run) co_return problem(dry_run.error());
    auto gone = co_await offload(service.pool, [&]() -> Result<ShownNetwork> {
        auto precondition = network_precondition_of(service, request, *name);
        if (!precondition) return std::unexpected(precondition.error());
        return service.supervisor.remove_network(request.caller, *name, *std::move(precondition), *dry_run);
    });
    if (gone && *dry_run == DryRun::no) co_return Response{.status = 204};
    co_return answer_network(gone, *dry_run);
}

}  // namespace jaild::api::v1
