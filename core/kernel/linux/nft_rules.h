#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/model/network.h"

/// The rules of a network as nft(8) reads them. Pure.
namespace jaild::kernel::nft {

/// A base chain of one network. Each network has its own, so that one can be replaced without touching another.
struct Chain {
    std::string name;  ///< "n1-forward"
    std::string type;  ///< "filter", "nat"
    std::string hook;  ///< "forward"
    int priority = 0;
    std::vector<std::string> rules;     ///< without comment
    std::vector<std::string> comments;  ///< one for each: mark, place and a hash of its text
    bool operator==(const Chain&) const = default;
};

/// The default policy: a jail answers only to its own network, may go anywhere, and only by its network's addresses.
std::vector<Chain> chains(const InstanceId& instance, const model::Network& network);

/// Commands that replace all chains of a network, whatever was there, in one transaction; the table is made if missing.
std::string load_commands(const InstanceId& instance, const model::Network& network);
/// Commands that remove them, missing or not. The table must exist.
std::string remove_commands(const InstanceId& instance, NetworkId network);

/// The network to which a chain of our table belongs; 0 for a name that we would not have written.
NetworkId network_of(std::string_view chain);

}  // namespace jaild::kernel::nft
