#include <nlohmann/json.hpp>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {

Answer list_templates(Service& service, const Request& request) {
    auto templates = co_await offload(service.pool, [&] { return service.supervisor.templates(request.caller); });
    if (!templates) co_return problem(templates.error());
    auto items = nlohmann::json::array();
    for (const auto& each : *templates) items.push_back(model::to_json(each));
    co_return answer_items(std::move(items));
}

Answer get_template(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto found =
        co_await offload(service.pool, [&] { return service.supervisor.get_template(request.caller, name->text()); });
    if (!found) co_return problem(found.error());
    co_return answer_json(model::to_json(*found));
}

}  // namespace jaild::api::v1
