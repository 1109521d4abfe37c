#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/error.h"

/// libnftables(3): commands of nft(8), in the calling thread's network namespace. Blocking; any thread, one at a time
/// (the library keeps state beyond its contexts), which these functions see to.
namespace jaild::kernel::nft {

enum class Effect { none, real };
/// All commands are one transaction. Effect::none: the kernel checks them and forgets them.
Result<void> run(const std::string& commands, Effect effect = Effect::real);

/// How often rules were changed in this network namespace, by whomever. NFT_MSG_GETGEN.
Result<std::uint32_t> generation();

/// What nft(8) prints for a `list` command.
Result<std::string> show(const std::string& command);
/// The array "nftables" of libnftables-json(5) that a `list` command answers.
Result<nlohmann::json> list(const std::string& command);

}  // namespace jaild::kernel::nft
