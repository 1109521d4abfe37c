#pragma once

#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/model/jail.h"
#include "core/model/network.h"
#include "core/store/connection.h"
#include "core/store/reader.h"

/// Which jail has which address of which network. An address stays with its jail until the jail is deleted or its spec
/// asks for something else; no two jails ever have the same (it is the table's key).
namespace jaild::store::addresses {

/// For a new network: nothing of it is taken.
Result<void> open_pools(Connection& connection, const model::Network& network);

/// One for each of its interfaces.
Result<std::vector<model::AssignedInterface>> of_jail(Connection& connection, JailId jail);

/// As Reader::address_owners().
Result<std::vector<AddressOwner>> owners(Connection& connection);

/// Makes the jail's interfaces and their addresses what `spec` asks for: those that still fit stay, static ones are
/// taken, and each family of an interface without one gets the lowest free address of its network: so the same history
/// always gives the same addresses. With NetworkMode::alias it has the spec's, which no other jail has and no network
/// may give out. Errors as Writer::insert_jail's, some of the work done: call it in a savepoint.
Result<void> assign(Connection& connection, JailId jail, const model::NetworkSpec& spec);

/// Errc::conflict "address_in_use" when a jail has an address of the network's subnets on an interface of the host, and
/// the network does not reserve it.
Result<void> check_aliases_outside(Connection& connection, const model::Network& network);

}  // namespace jaild::store::addresses
