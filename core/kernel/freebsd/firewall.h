#pragma once

#include <map>
#include <mutex>
#include <string>

#include "core/kernel/firewall.h"
#include "core/kernel/freebsd/pure/pf_rules.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel {

/// pf(4) by pfctl(8): an anchor "jaild/<instance>-n<id>" for each network, loaded in one transaction. The main ruleset
/// is read and never written. Any thread.
class FreeBsdFirewall : public Firewall {
public:
    explicit FreeBsdFirewall(const DriverOptions& options) : instance_(options.instance) {}

    Result<void> available() override;
    /// Networks whose rules are not those for the host's present interfaces are incomplete.
    Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) override;
    Result<void> apply(const model::Network& network) override;
    Result<void> remove(NetworkId network) override;

private:
    [[nodiscard]] Result<std::vector<freebsd::pf::Uplink>> uplinks() const;

    InstanceId instance_;
    std::mutex mutex_;
    /// How the kernel showed a network's rules after apply(): finds a rule that was replaced under its old label. A
    /// hint that only ever makes list() stricter; empty after a start.
    std::map<NetworkId, std::string> loaded_;
};

}  // namespace jaild::kernel
