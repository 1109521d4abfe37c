#pragma once

#include "api/http/target.h"
#include "core/supervisor.h"

namespace jaild::api::v1 {

/// `state`, `template` and `label` of a query: which jails a list is about. Errc::invalid "invalid_parameter".
Result<JailQuery> jail_filter(const Query& query);

}  // namespace jaild::api::v1
