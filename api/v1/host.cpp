#include <nlohmann/json.hpp>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"
#include "api/v1/openapi_document.h"

namespace jaild::api::v1 {

Answer get_host(Service& service, const Request& request) {
    // As a jail that nobody can have: the checks ask the kernel too.
    auto host = co_await offload_through(service.gates, "/host", service.jail_pool,
                                         [&] { return service.supervisor.host(request.caller); });
    if (!host) co_return problem(host.error());
    co_return answer_json(model::to_json(*host));
}

namespace {

Answer answer_residue(Service& service, const Request& request, reconcile::Reconciler::Remove remove) {
    auto items = co_await offload_through(service.gates, "/host/residue", service.jail_pool,
                                          [&] { return service.supervisor.residue(request.caller, remove); });
    if (!items) co_return problem(items.error());
    nlohmann::json shown{{"items", nlohmann::json::array()}};
    for (const auto& item : *items) shown["items"].push_back(model::to_json(item));
    co_return answer_json(shown);
}

}  // namespace

Answer list_residue(Service& service, const Request& request) {
    return answer_residue(service, request, reconcile::Reconciler::Remove::no);
}

Answer remove_residue(Service& service, const Request& request) {
    return answer_residue(service, request, reconcile::Reconciler::Remove::yes);
}

/// The process lives and its I/O thread turns.
Response get_health(Service&, const Request&) {
    return Response{.body = R"({"status":"ok"})"};
}

/// Every jail was looked at once, and workers are left to look after them.
Response get_readiness(Service& service, const Request&) {
    const auto readiness = service.supervisor.readiness();
    if (!readiness.ready)
        return problem(Error{.code = Errc::busy,
                             .op = "readyz",
                             .detail = "jaild has not yet looked at every jail since it started",
                             .reason = "not_ready"});
    if (readiness.exhausted)
        return problem(
            Error{.code = Errc::busy,
                  .op = "readyz",
                  .detail = "too many workers hang in the kernel; their jails cannot be changed",
                  .reason = "workers_exhausted",
                  .remedy = "see jaild's log for the calls that hang, then restart jaild: the jails run on"});
    return answer_json({{"status", "ready"}, {"written_off", readiness.written_off}});
}

Response get_openapi(Service&, const Request&) {
    static const auto kDocument = std::make_shared<const std::string>(openapi_document());
    return Response{.document = kDocument};
}

}  // namespace jaild::api::v1
