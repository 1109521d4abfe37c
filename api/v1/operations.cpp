#include <nlohmann/json.hpp>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {

Answer get_operation(Service& service, const Request& request) {
    auto operation =
        co_await offload(service.pool, [&] { return service.supervisor.operation(request.caller, request.parameter); });
    if (!operation) co_return problem(operation.error());
    co_return answer_json(model::to_json(*operation));
}

Answer cancel_operation(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    auto operation =
        co_await offload(service.pool, [&] { return service.supervisor.cancel(request.caller, request.parameter); });
    if (!operation) co_return problem(operation.error());
    co_return answer_json(model::to_json(*operation));
}

}  // namespace jaild::api::v1
