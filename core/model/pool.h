#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/model/jail_spec.h"

/// Jails of one kind that are kept ready. Plain values.
namespace jaild::model {

struct PoolLimits {
    static constexpr std::int64_t jails = 64;  ///< of one pool
    static constexpr std::size_t pools = 64;
};

/// What a user asks for.
struct PoolSpec {
    unsigned size = 1;  ///< jails that are kept ready; 0: none
    JailSpec jail{};    ///< what each of them is: it runs, ephemeral, without a command
    bool operator==(const PoolSpec&) const = default;
};

struct Pool {
    PoolId id;
    Name name;
    PoolSpec spec;
    Generation generation = 1;       ///< of all of it
    Generation jail_generation = 1;  ///< of `spec.jail`: jails of an earlier one are replaced
    UtcTime created_at;
};

struct NamedPoolSpec {
    Name name;
    PoolSpec spec;
};

/// {"name", "size", "jail": {…}}. As parse_spec(), with "/jail" before its fields; Errc::invalid "not_for_pools" for
/// what a jail of a pool cannot have: `running` false, `ephemeral` false, a command, addresses and ports of its own, a
/// path root.
Result<NamedPoolSpec> parse_pool(const nlohmann::json& value);
/// RFC 7396 on {"size", "jail"}.
Result<PoolSpec> patch_pool(const PoolSpec& current, const nlohmann::json& patch);
nlohmann::json to_json(const PoolSpec& spec, Secrets secrets);
/// What the store keeps.
Result<PoolSpec> parse_pool_spec(const nlohmann::json& value);

/// What is known of its jails now.
struct PoolStatus {
    unsigned ready = 0;
    unsigned coming = 0;
    std::string failure{};  ///< of the last jail that did not come up, until one does
    std::optional<UtcTime> next_try{};
};
nlohmann::json to_json(const Pool& pool, const PoolStatus& status);

/// The strong entity tag: "\"p7.3\"".
std::string etag(const Pool& pool);

}  // namespace jaild::model
