#include "api/v1/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/precondition.h"
#include "api/http/problem.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;
using Time = std::chrono::steady_clock::time_point;

/// An event wakes a waiter; this is for events that were pruned before anybody read them.
constexpr Milliseconds kLookAgain{5'000};
/// By then it is known for whom a jail waits.
constexpr Milliseconds kFirstLook{300};

std::string operation_path(const std::string& id) {
    return fmt::format("/v1/operations/{}", id);
}

std::string jail_path(const model::Name& name) {
    return fmt::format("/v1/jails/{}", name.text());
}

nlohmann::json with_operation(const Accepted& accepted) {
    auto body = model::to_json(accepted.jail);
    if (!accepted.operation.empty()) body["operation"] = accepted.operation;
    return body;
}

/// Its jail waits for another one, which somebody has to bring up first: that can take for ever.
bool is_blocked(const Service& service, const Request& request, const model::Operation& operation) {
    const auto name = model::Name::parse(operation.jail_name);
    if (!name) return false;
    const auto jail = service.supervisor.get(request.caller, *name);
    if (!jail || jail->removing || !jail->spec.running || jail->spec.depends_on.empty()) return false;
    return std::ranges::any_of(jail->status.conditions, [](const model::Condition& one) {
        return one.type == "Ready" && one.reason == model::kDependencyDown;
    });
}

/// Reads the operation until it has ended, cannot go on by itself, or `deadline` has come; nothing if it had not ended
/// by then.
asio::awaitable<std::optional<model::Operation>> ended_operation(Service& service, const Request& request,
                                                                 const std::string& id, Time deadline) {
    EventFeed::OperationWatch watch(service.feed, id);
    auto patience = kFirstLook;
    while (!service.feed.stopping()) {
        auto operation = co_await offload(
            service.pool, [&service, &request, &id] { return service.supervisor.operation(request.caller, id); });
        if (!operation) co_return std::nullopt;
        if (operation->state != model::OperationState::running) co_return *std::move(operation);
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) co_return std::nullopt;
        // What is known of the jail at first is from before.
        const bool known = patience == kLookAgain;
        if (known && is_blocked(service, request, *operation)) co_return std::nullopt;
        co_await watch.changed(std::min(left, std::exchange(patience, kLookAgain)));
    }
    co_return std::nullopt;
}

/// The same, given up when the client goes away.
asio::awaitable<std::optional<model::Operation>> wait_for(Service& service, const Request& request, std::string id,
                                                          Milliseconds at_most) {
    const auto deadline = std::chrono::steady_clock::now() + at_most;
    auto first = co_await (ended_operation(service, request, id, deadline) || request.client->gone());
    if (first.index() == 1) co_return std::nullopt;
    co_return std::get<0>(std::move(first));
}

/// What a step did not find or could not get at is the state of the host, not of what the request names.
Errc kind_of(const model::Problem& problem) {
    const bool passes = problem.kind == Errc::busy || problem.kind == Errc::not_found || problem.kind == Errc::stale;
    return passes ? Errc::conflict : problem.kind;
}

Error error_of(const model::Operation& operation) {
    if (operation.state == model::OperationState::cancelled)
        return {.code = Errc::conflict,
                .op = "operation",
                .detail = operation.template_name.empty()
                              ? "the operation was cancelled; the jail goes on as its spec says"
                              : "the operation was cancelled",
                .reason = "operation_cancelled"};
    if (!operation.problem) return {.code = Errc::corrupt, .op = "operation", .reason = "internal"};
    const auto& kept = *operation.problem;
    // `reason` views into `operation`, which the caller holds.
    return {.code = kind_of(kept),
            .op = "operation",
            .sys = kept.sys,
            .detail = kept.detail,
            .reason = kept.code,
            .field = kept.field,
            .remedy = kept.remedy};
}

/// What GET answers for the jail now; as it was accepted, when it is gone meanwhile.
Response show_jail(Service& service, const Request& request, const Accepted& accepted) {
    Response response;
    auto document = service.supervisor.document(request.caller, accepted.jail.name);
    if (document) {
        response.document = std::move(document->json);
        response.fields.emplace_back("ETag", std::move(document->etag));
    } else {
        response.body = dump(model::to_json(accepted.jail));
    }
    return response;
}

Response answer_ended(Service& service, const Request& request, const Accepted& accepted,
                      const model::Operation& operation, Change change) {
    if (operation.state != model::OperationState::succeeded)
        return problem(error_of(operation), {{"operation", operation.id}});
    if (change == Change::remove) return Response{.status = 204};
    auto response = show_jail(service, request, accepted);
    if (operation.kind == "create" || operation.kind == "import") {
        response.status = 201;
        response.fields.emplace_back("Location", jail_path(accepted.jail.name));
    }
    return response;
}

}  // namespace

Response answer_json(const nlohmann::json& value, unsigned status) {
    return Response{.status = status, .body = dump(value)};
}

Response answer_items(nlohmann::json items) {
    return answer_json({{"items", std::move(items)}});
}

Result<model::Name> name_of(const Request& request) {
    return model::Name::parse(request.parameter, "");
}

Result<DryRun> dry_run_of(const Request& request) {
    auto flag = request.target.query.flag("dry_run", false);
    if (!flag) return std::unexpected(flag.error());
    return *flag ? DryRun::yes : DryRun::no;
}

Result<Retry> retry_of(const Request& request) {
    auto key = idempotency_key(request);
    if (!key) return std::unexpected(key.error());
    if (key->empty()) return Retry{};
    return Retry{.key = *std::move(key), .fingerprint = fingerprint(request)};
}

namespace {

/// What long work is answered with: with `Prefer: wait` what `ended` (Response(const model::Operation&)) makes of its
/// end, else, and when it goes on beyond that time, 202 with `body`.
template <class Ended>
asio::awaitable<Response> answer_operation(Service& service, const Request& request, const std::string& operation,
                                           const nlohmann::json& body, Ended ended) {
    Response response{.status = 202};
    std::optional<std::string> applied;
    if (const auto asked = preferred_wait(request)) {
        const auto longest = std::chrono::duration_cast<std::chrono::seconds>(service.limits.wait_max).count();
        const auto seconds = std::min<std::int64_t>(*asked, longest);
        applied = fmt::format("wait={}", seconds);
        const auto done = co_await wait_for(service, request, operation, std::chrono::seconds(seconds));
        if (done) response = co_await ended(*done);
    }
    if (response.status == 202) {
        response.body = dump(body);
        response.fields.emplace_back("Location", operation_path(operation));
    }
    if (applied) response.fields.emplace_back("Preference-Applied", *std::move(applied));
    co_return response;
}

}  // namespace

asio::awaitable<Response> answer_change(Service& service, const Request& request, Accepted accepted, Change change,
                                        DryRun dry_run) {
    if (dry_run == DryRun::yes)
        co_return answer_json({{"plan", accepted.plan}, {"jail", model::to_json(accepted.jail)}});
    if (accepted.operation.empty()) co_return show_jail(service, request, accepted);

    const auto ended = [&](const model::Operation& operation) -> asio::awaitable<Response> {
        co_return answer_ended(service, request, accepted, operation, change);
    };
    auto response = co_await answer_operation(service, request, accepted.operation, with_operation(accepted), ended);
    if (response.status == 202) response.fields.emplace_back("ETag", model::etag(accepted.jail));
    if (accepted.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    co_return response;
}

asio::awaitable<Response> answer_template_change(Service& service, const Request& request, AcceptedTemplate accepted) {
    auto body = accepted.shown.to_json();
    body["operation"] = accepted.operation;
    const auto ended = [&](const model::Operation& operation) -> asio::awaitable<Response> {
        if (operation.state != model::OperationState::succeeded)
            co_return problem(error_of(operation), {{"operation", operation.id}});
        const auto reference = model::TemplateRef::parse(operation.template_name);
        if (operation.kind == "template.remove" || !reference) co_return Response{.status = 204};
        const auto now =
            co_await offload(service.pool, [&] { return service.supervisor.get_template(request.caller, *reference); });
        if (!now) co_return problem(now.error());
        auto response = answer_json(now->to_json(), 201);
        response.fields.emplace_back("Location", "/v1/templates/" + now->value.reference());
        co_return response;
    };
    auto response = co_await answer_operation(service, request, accepted.operation, body, ended);
    if (accepted.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    co_return response;
}

asio::awaitable<Response> answer_snapshot_change(Service& service, const Request& request, AcceptedSnapshot accepted) {
    const auto& value = accepted.snapshot;
    auto body = model::to_json(value);
    body["operation"] = accepted.operation;
    const auto ended = [&](const model::Operation& operation) -> asio::awaitable<Response> {
        if (operation.state != model::OperationState::succeeded)
            co_return problem(error_of(operation), {{"operation", operation.id}});
        const auto jail = model::Name::parse(value.jail_name);
        if (operation.kind == "snapshot.remove" || !jail) co_return Response{.status = 204};
        const auto now = co_await offload(
            service.pool, [&] { return service.supervisor.get_snapshot(request.caller, *jail, value.name); });
        if (!now) co_return problem(now.error());
        auto response = answer_json(model::to_json(*now), 201);
        response.fields.emplace_back("Location", jail_path(*jail) + "/snapshots/" + now->name);
        co_return response;
    };
    auto response = co_await answer_operation(service, request, accepted.operation, body, ended);
    if (accepted.replayed) response.fields.emplace_back("Idempotency-Replayed", "true");
    co_return response;
}

}  // namespace jaild::api::v1
