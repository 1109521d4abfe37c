#pragma once

#include <mutex>

#include "core/kernel/freebsd/inside.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/links.h"

namespace jaild::kernel {

/// Links by the interface ioctls of the host and, inside jails, by jaild-inside. Any thread.
class FreeBsdLinks final : public Links {
public:
    explicit FreeBsdLinks(const DriverOptions& options) : places_(options), inside_(options.helper_directory) {}

    Result<std::vector<ObservedLink>> list(Scope scope) override;
    Result<void> ensure(const LinkParameters& parameters) override;
    Result<void> destroy(LinkId id) override;
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
    freebsd::Places places_;
    freebsd::Inside inside_;
    /// One thread makes or removes bridges: the kernel looks for a name and takes it in two steps.
    std::mutex mutex_;
    /// One thread gives or takes addresses of the host.
    std::mutex alias_mutex_;
};

}  // namespace jaild::kernel
