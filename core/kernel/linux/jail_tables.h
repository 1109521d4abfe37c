#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/linux/nft_jail_rules.h"

namespace jaild::kernel::nft {

/// What our two tables hold of jails: chains by the comments of their rules, maps and sets by their elements.
struct TablesSeen {
    bool inet = false;
    bool bridge = false;
    bool networks = false;  ///< a chain of a network's is there too
    std::map<std::string, std::vector<std::string>> inet_chains;
    std::map<std::string, std::vector<std::string>> bridge_chains;
    std::set<Entry> entries;
    std::set<Entry> ports;
    std::map<std::string, std::set<std::string>> sets;
    std::map<std::string, std::set<std::string>> named;  ///< the sets that a chain's rules name
};

/// The parts of our tables that are about jails. Not thread-safe; in the network namespace of the calling thread.
class JailTables {
public:
    explicit JailTables(const InstanceId& instance) : instance_(instance) {}

    Result<std::vector<ObservedJailRules>> list(const std::vector<JailRules>& desired);
    Result<void> apply(const JailRules& rules);
    /// The tables go with the last jail, unless a network still has chains.
    Result<void> remove(JailId jail);
    Result<void> update(const std::vector<GroupUse>& groups);
    Result<LoadedText> loaded(JailId jail);
    /// Anything of a jail is loaded.
    Result<bool> in_use();

private:
    /// From memory, as long as nobody has changed any rule of this host since: the kernel counts changes.
    Result<const TablesSeen*> seen();
    Result<void> run(const std::string& commands, const TablesSeen& after);
    Result<void> try_apply(const JailRules& rules);

    InstanceId instance_;
    std::optional<TablesSeen> seen_;
    std::uint32_t generation_ = 0;
};

}  // namespace jaild::kernel::nft
