#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

constexpr std::size_t kUploadPiece = std::size_t{512} << 10;  // one turn of a thread for each

/// "freebsd:14.2-p1" in the path.
Result<model::TemplateRef> reference_of(const Request& request) {
    return model::TemplateRef::parse(request.parameter, "");
}

/// What is said of an upload besides its bytes.
Result<model::TemplateRequest> upload_of(const Request& request) {
    const auto reference = reference_of(request);
    if (!reference) return std::unexpected(reference.error());
    nlohmann::json body{{"name", reference->name().text()}};
    if (!reference->latest()) body["version"] = reference->version();
    for (const auto& [key, value] : request.target.query.items()) {
        if (key == "private")
            body[key].push_back(value);
        else
            body[key] = value;
    }
    return model::parse_template_upload(body);
}

/// All of the body, a piece at a time.
asio::awaitable<Result<void>> receive(Service& service, const Request& request, templates::Upload& upload) {
    std::string piece;
    while (true) {
        const auto bytes = co_await request.source->read();
        if (!bytes) co_return std::unexpected(bytes.error());
        piece += *bytes;
        if (!bytes->empty() && piece.size() < kUploadPiece) continue;
        auto written = co_await offload(service.pool, [&] { return upload.add(piece); });
        if (!written) co_return std::unexpected(written.error());
        if (bytes->empty()) co_return Result<void>{};
        piece.clear();
    }
}

}  // namespace

Answer upload_template(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto asked = upload_of(request);
    if (!asked) co_return problem(asked.error());
    auto slot = service.uploads.take();
    if (!slot)
        co_return problem(Error{.code = Errc::busy,
                                .op = "upload",
                                .detail = "as many clients as jaild serves send archives",
                                .reason = "too_many_uploads",
                                .remedy = "try again when one of them is done"});
    auto upload = co_await offload(
        service.pool, [&] { return service.supervisor.begin_template_upload(request.caller, *asked, *retry); });
    if (!upload) co_return problem(upload.error());
    const auto received = co_await receive(service, request, *upload);
    if (!received) co_return problem(received.error());
    slot.reset();  // who waits for the import keeps no other body waiting
    auto accepted = co_await offload(service.pool, [&] {
        return service.supervisor.import_upload(request.caller, *std::move(asked), *std::move(upload), *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_template_change(service, request, *std::move(accepted));
}

Answer list_templates(Service& service, const Request& request) {
    auto templates = co_await offload(service.pool, [&] { return service.supervisor.templates(request.caller); });
    if (!templates) co_return problem(templates.error());
    auto items = nlohmann::json::array();
    for (const auto& each : *templates) items.push_back(each.to_json());
    co_return answer_items(std::move(items));
}

Answer get_template(Service& service, const Request& request) {
    const auto reference = reference_of(request);
    if (!reference) co_return problem(reference.error());
    auto found =
        co_await offload(service.pool, [&] { return service.supervisor.get_template(request.caller, *reference); });
    if (!found) co_return problem(found.error());
    co_return answer_json(found->to_json());
}

Answer import_template(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(service.pool, [&]() -> Result<AcceptedTemplate> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto asked = model::parse_template_request(*body);
        if (!asked) return std::unexpected(asked.error());
        return service.supervisor.import_template(request.caller, *std::move(asked), *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_template_change(service, request, *std::move(accepted));
}

Answer update_template(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto reference = reference_of(request);
    if (!reference) co_return problem(reference.error());
    const auto retry = retry_of(request);
    if (!retry) co_return problem(retry.error());
    auto accepted = co_await offload(service.pool, [&]() -> Result<AcceptedTemplate> {
        auto body = parse_json(request.body, service.limits.json_depth);
        if (!body) return std::unexpected(body.error());
        auto update = model::parse_template_update(*body);
        if (!update) return std::unexpected(update.error());
        return service.supervisor.update_template(request.caller, *reference, *std::move(update), *retry);
    });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_template_change(service, request, *std::move(accepted));
}

Answer delete_template(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto reference = reference_of(request);
    if (!reference) co_return problem(reference.error());
    auto accepted =
        co_await offload(service.pool, [&] { return service.supervisor.remove_template(request.caller, *reference); });
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_template_change(service, request, *std::move(accepted));
}

}  // namespace jaild::api::v1
