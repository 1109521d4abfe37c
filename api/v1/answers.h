#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "api/http/message.h"
#include "api/v1/service.h"
#include "core/model/name.h"

/// What several resources answer alike.
namespace jaild::api::v1 {

/// `limit` of a list, in items.
inline constexpr std::int64_t kPageDefault = 100;
inline constexpr std::int64_t kPageMax = 1000;

Response answer_json(const nlohmann::json& value, unsigned status = 200);
/// {"items": […]}
Response answer_items(nlohmann::json items);
/// The name in the path. One that no jail can have is 422 "invalid_name", never a 404.
Result<model::Name> name_of(const Request& request);

/// `?dry_run=`
Result<DryRun> dry_run_of(const Request& request);
/// Its Idempotency-Key, if it has one.
Result<Retry> retry_of(const Request& request);

enum class Change { create, replace, patch, restart, remove };

/// The answer to a change that was written: 202 with the operation, or with `Prefer: wait` what became of it; 200 for a
/// dry run, and when nothing had to change.
asio::awaitable<Response> answer_change(Service& service, const Request& request, Accepted accepted, Change change,
                                        DryRun dry_run);

/// The same of a template. A removal that is done is 204, an import 201 with the template as it is now.
asio::awaitable<Response> answer_template_change(Service& service, const Request& request, AcceptedTemplate accepted);

/// The same of a snapshot.
asio::awaitable<Response> answer_snapshot_change(Service& service, const Request& request, AcceptedSnapshot accepted);

}  // namespace jaild::api::v1
