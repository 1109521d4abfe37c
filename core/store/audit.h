#pragma once

#include <vector>

#include "core/base/units.h"
#include "core/store/connection.h"
#include "core/store/store.h"

namespace jaild::store::audit {

Result<std::vector<AuditEntry>> last(Connection& connection, std::size_t count);
Result<void> append(Connection& connection, const AuditEntry& entry, UtcTime now, std::size_t keep);

}  // namespace jaild::store::audit
