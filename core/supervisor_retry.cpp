#include "core/supervisor_impl.h"

/// What an Idempotency-Key says of a request that comes again.
namespace jaild {

Result<std::optional<std::string>> kept_under(store::Reader& reader, const Caller& caller, const Retry& retry) {
    if (retry.key.empty()) return std::nullopt;
    auto known = reader.idempotent(caller.principal, retry.key);
    if (!known) return std::unexpected(known.error());
    if (!*known) return std::nullopt;
    if ((*known)->fingerprint == retry.fingerprint) return std::move((*known)->operation);
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "retry",
                                 .detail = "this Idempotency-Key came with another request before",
                                 .reason = "idempotency_key_reused",
                                 .remedy = "use a new key for a new request"});
}

}  // namespace jaild
