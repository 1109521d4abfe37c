#pragma once

#include "api/http/message.h"
#include "api/v1/service.h"

/// Under which condition a request may change something (RFC 9110 §13).
namespace jaild::api::v1 {

/// If-Match, and If-None-Match with "*". Errc::invalid "invalid_precondition".
Result<Precondition> precondition_of(Service& service, const Request& request, const model::Name& name);

/// The same of a network. Blocking.
Result<Precondition> network_precondition_of(Service& service, const Request& request, const model::Name& name);

/// For what changes something that has no entity tag: a condition that would be ignored is refused. Errc::invalid
/// "invalid_precondition".
Result<void> refuse_precondition(const Request& request);

}  // namespace jaild::api::v1
