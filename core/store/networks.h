#pragma once

#include <string_view>
#include <vector>

#include "core/model/network.h"
#include "core/store/connection.h"

namespace jaild::store::networks {

/// Without regard to case. Errc::not_found "network_not_found".
Result<model::Network> find(Connection& connection, std::string_view name);
Result<std::vector<model::Network>> all(Connection& connection);
Result<model::Network> insert(Connection& connection, const model::Network& network, UtcTime now);
Result<model::Network> update(Connection& connection, const model::Network& network);
Result<void> erase(Connection& connection, const model::Network& network);

}  // namespace jaild::store::networks
