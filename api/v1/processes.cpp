#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

using nlohmann::json;

json process_json(const kernel::JailProcess& one, UtcTime now) {
    const UtcTime started{now.milliseconds - one.age.count()};
    return {{"pid", one.pid},
            {"jail_pid", one.jail_pid},
            {"parent_pid", one.parent},
            {"uid", one.uid},
            {"user", one.user.empty() ? json() : json(one.user)},
            {"cpu_us", one.cpu_us},
            {"memory_bytes", one.resident_bytes},
            {"started_at", started.to_string()},
            {"state", one.state},
            {"command", one.command},
            {"held", one.held}};
}

}  // namespace

Answer list_processes(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto body = co_await offload_through(service.gates, name->key(), service.jail_pool, [&]() -> Result<std::string> {
        const auto found = service.supervisor.processes(request.caller, *name);
        if (!found) return std::unexpected(found.error());
        const auto now = Clock::system().utc();
        json shown{{"items", json::array()}, {"truncated", found->truncated}};
        for (const auto& one : found->items) shown["items"].push_back(process_json(one, now));
        return dump(shown);
    });
    if (!body) co_return problem(body.error());
    Response response;
    response.body = *std::move(body);
    co_return response;
}

Answer kill_processes(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto reached = co_await offload_through(service.gates, name->key(), service.jail_pool,
                                            [&]() -> Result<std::vector<std::int64_t>> {
                                                auto body = parse_json(request.body, service.limits.json_depth);
                                                if (!body) return std::unexpected(body.error());
                                                auto wanted = model::KillRequest::parse(*body);
                                                if (!wanted) return std::unexpected(wanted.error());
                                                return service.supervisor.kill(request.caller, *name, *wanted);
                                            });
    if (!reached) co_return problem(reached.error());
    co_return answer_json({{"pids", *reached}});
}

}  // namespace jaild::api::v1
