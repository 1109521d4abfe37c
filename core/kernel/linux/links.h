#pragma once

#include "core/kernel/kernel.h"
#include "core/kernel/links.h"
#include "core/kernel/linux/layout.h"

namespace jaild::kernel {

/// Links by rtnetlink(7): bridges and host ends in the network namespace of the calling thread, which is the daemon's.
/// Without state of its own: any thread, several at once for different jails.
class LinuxLinks final : public Links {
public:
    explicit LinuxLinks(const DriverOptions& options) : options_(options), layout_(options) {}

    Result<std::vector<ObservedLink>> list(Scope scope) override;
    Result<void> ensure(const LinkParameters& parameters) override;
    Result<void> destroy(LinkId id) override;
    /// An address of a network stack is everybody's in it on Linux: there are none.
    Result<std::vector<ObservedAlias>> aliases(JailId jail) override;
    Result<void> ensure_alias(JailId jail, const Alias& alias) override;
    Result<void> remove_alias(JailId jail, const Alias& alias) override;
    Result<void> check_alias(const Alias& alias, const std::vector<JailId>& jails) override;
    Result<std::vector<ObservedBridge>> bridges() override;
    Result<void> ensure_bridge(const model::Network& network) override;
    Result<void> remove_bridge(NetworkId network) override;
    Result<void> check(const model::Network& network) override;
    Result<std::vector<Prefix>> addresses(const std::string& interface) override;
    Result<void> check(const model::NetworkSpec& spec) override;
    Result<std::vector<Prefix>> used_prefixes() override;
    Result<bool> forwarding(Family family) override;
    Result<void> enable_forwarding(Family family) override;

private:
    DriverOptions options_;
    Layout layout_;
};

}  // namespace jaild::kernel
