#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/kernel/firewall.h"
#include "core/kernel/kernel.h"
#include "core/kernel/linux/jail_tables.h"

namespace jaild::kernel {

/// One table `inet jaild-<instance>` in the network namespace of the calling thread, which is the daemon's. Any thread.
class LinuxFirewall final : public Firewall {
public:
    explicit LinuxFirewall(const DriverOptions& options) : options_(options), jails_(options.instance) {}

    Result<void> available() override;
    Result<void> enforceable() override;
    Result<void> enforceable_on(const std::string& bridge) override;
    bool guards() override { return true; }
    Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) override;
    Result<void> apply(const model::Network& network) override;
    Result<void> remove(NetworkId network) override;
    Result<std::vector<ObservedJailRules>> list_jails(const std::vector<JailRules>& desired) override;
    Result<void> apply(const JailRules& rules) override;
    Result<void> remove(JailId jail) override;
    Result<void> update(const std::vector<GroupUse>& groups) override;
    Result<LoadedText> loaded(const JailRules& rules) override;
    Result<std::optional<std::string>> listener(const model::Publish& publish) override;

private:
    DriverOptions options_;
    std::mutex mutex_;
    nft::JailTables jails_;
    std::mutex available_mutex_;
    /// A yes is remembered for some seconds: each look at a jail asks.
    std::optional<std::chrono::steady_clock::time_point> seen_available_;
    /// How the kernel listed a network's rules after apply(): finds a rule that was replaced under its old comment.
    /// A hint that only ever makes list() stricter; empty after a start.
    std::map<NetworkId, std::string> loaded_;
};

}  // namespace jaild::kernel
