#pragma once

#include <optional>
#include <string>

#include "core/base/units.h"
#include "core/store/connection.h"
#include "core/store/store.h"

namespace jaild::store::idempotency {

Result<std::optional<IdempotentReply>> find(Connection& connection, const std::string& principal,
                                            const std::string& key);
Result<void> remember(Connection& connection, const std::string& principal, const std::string& key,
                      const IdempotentReply& reply, UtcTime now, std::size_t keep);

}  // namespace jaild::store::idempotency
