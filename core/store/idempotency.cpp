#include "core/store/idempotency.h"

#include "core/store/retention.h"

namespace jaild::store::idempotency {

Result<std::optional<IdempotentReply>> find(Connection& connection, const std::string& principal,
                                            const std::string& key) {
    return first_row<IdempotentReply>(
        connection.prepare("SELECT fingerprint, operation FROM idempotency_keys WHERE principal = ?1 AND key = ?2",
                           principal, key),
        [](const Statement& row) -> Result<IdempotentReply> {
            return IdempotentReply{.fingerprint = row.text(0), .operation = row.text(1)};
        });
}

Result<void> remember(Connection& connection, const std::string& principal, const std::string& key,
                      const IdempotentReply& reply, UtcTime now, std::size_t keep) {
    auto present = find(connection, principal, key);
    if (!present) return std::unexpected(present.error());
    if (*present) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "remember",
                                     .detail = "this Idempotency-Key was used before",
                                     .reason = "idempotency_key_reused"});
    }
    auto done = connection.run(
        "INSERT INTO idempotency_keys (principal, key, fingerprint, operation, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        principal, key, reply.fingerprint, reply.operation, now.milliseconds);
    if (!done) return done;
    const auto newest = connection.last_insert_id();
    if (!prune_is_due(newest, keep)) return {};
    return connection.run("DELETE FROM idempotency_keys WHERE seq <= ?1", prune_up_to(newest, keep));
}

}  // namespace jaild::store::idempotency
