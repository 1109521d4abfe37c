#pragma once

#include <filesystem>
#include <functional>

#include "core/kernel/mounts.h"
#include "core/kernel/root_upgrades.h"
#include "core/kernel/roots/jail_directories.h"

namespace jaild::kernel {

/// The same on every system, but for what `Ways` says.
class RootMerges final : public RootUpgrades {
public:
    struct Ways {
        /// The root is in the jail's directory afterwards; empty: it always is.
        std::function<Result<void>(JailId)> bring{};
        /// Makes databases of the texts in an open /etc, in an empty directory of ours; empty: there are none.
        std::function<Result<void>(int etc, const std::filesystem::path& scratch)> make_databases{};
    };
    RootMerges(std::filesystem::path state, Mounts& mounts) : RootMerges(std::move(state), mounts, Ways{}) {}
    RootMerges(std::filesystem::path state, Mounts& mounts, Ways ways)
        : directories_(std::move(state)), mounts_(mounts), ways_(std::move(ways)) {}

    Result<upgrade::MergeReport> upgrade(const RootUpgrade& upgrade) override;
    Result<upgrade::MergeReport> try_upgrade(const RootUpgrade& upgrade) override;

private:
    struct Workshop;
    [[nodiscard]] Result<Workshop> open(const RootUpgrade& upgrade) const;
    [[nodiscard]] Result<upgrade::MergeReport> merge_parts(const Workshop& shop,
                                                           const std::filesystem::path& scratch) const;

    JailDirectories directories_;
    Mounts& mounts_;
    Ways ways_;
};

}  // namespace jaild::kernel
