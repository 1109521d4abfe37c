#include "core/store/audit.h"

#include "core/store/retention.h"

namespace jaild::store::audit {

Result<std::vector<AuditEntry>> last(Connection& connection, std::size_t count) {
    return all_rows<AuditEntry>(
        connection.prepare("SELECT * FROM (SELECT principal, action, object, outcome, at, seq FROM audit"
                           " ORDER BY seq DESC LIMIT ?1) ORDER BY seq",
                           as_limit(count)),
        [](const Statement& row) -> Result<AuditEntry> {
            return AuditEntry{.principal = row.text(0),
                              .action = row.text(1),
                              .object = row.text(2),
                              .outcome = row.text(3),
                              .at = UtcTime{row.integer(4)}};
        });
}

Result<void> append(Connection& connection, const AuditEntry& entry, UtcTime now, std::size_t keep) {
    auto done = connection.run("INSERT INTO audit (at, principal, action, object, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
                               now.milliseconds, entry.principal, entry.action, entry.object, entry.outcome);
    if (!done) return done;
    const auto newest = connection.last_insert_id();
    if (!prune_is_due(newest, keep)) return {};
    return connection.run("DELETE FROM audit WHERE seq <= ?1", prune_up_to(newest, keep));
}

}  // namespace jaild::store::audit
