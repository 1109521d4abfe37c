#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/kernel/firewall.h"
#include "core/kernel/freebsd/pure/pf_rules.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel {

/// pf(4) by pfctl(8): an anchor "jaild/<instance>-n<id>" for each network and "jaild/<instance>-j<id>" for each jail,
/// each loaded in one transaction. The main ruleset is read and never written. Any thread.
class FreeBsdFirewall : public Firewall {
public:
    explicit FreeBsdFirewall(const DriverOptions& options) : instance_(options.instance) {}

    /// A yes is remembered for some seconds: each jail's start asks, and three programs answer.
    Result<void> available() override;
    /// The same, looked at now.
    Result<void> check_main_ruleset();
    /// Networks whose rules are not those for the host's present interfaces are incomplete.
    Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) override;
    Result<void> apply(const model::Network& network) override;
    Result<void> remove(NetworkId network) override;
    /// Not as long as packets between ports of a bridge pass pf(4) by. Loads if_bridge(4), which brings that switch.
    Result<void> enforceable() override;
    bool guards() override;
    /// One pfctl(8) for the rules of all jails, one more for each that publishes ports.
    Result<std::vector<ObservedJailRules>> list_jails(const std::vector<JailRules>& desired) override;
    Result<void> apply(const JailRules& rules) override;
    Result<void> remove(JailId jail) override;
    /// By pf's ioctls: no rule is loaded anew.
    Result<void> update(const std::vector<GroupUse>& groups) override;
    Result<LoadedText> loaded(const JailRules& rules) override;
    Result<std::optional<std::string>> listener(const model::Publish& publish) override;

private:
    /// Interfaces but loopbacks that have an address, link-local ones apart; by name.
    static Result<std::vector<freebsd::pf::Uplink>> addressed();
    /// Those that lead elsewhere: not our bridges.
    [[nodiscard]] Result<std::vector<freebsd::pf::Uplink>> uplinks() const;
    /// Those by which a client of a published port can come: our bridges too.
    [[nodiscard]] Result<std::vector<std::string>> client_interfaces() const;
    [[nodiscard]] Result<ObservedJailRules> look_at(const JailRules& desired, const std::string& shown,
                                                    const std::vector<std::string>& interfaces);

    InstanceId instance_;
    std::mutex mutex_;
    std::mutex available_mutex_;
    std::optional<std::chrono::steady_clock::time_point> seen_available_;
    /// How the kernel showed a network's rules after apply(): finds a rule that was replaced under its old label. A
    /// hint that only ever makes list() stricter; empty after a start.
    std::map<NetworkId, std::string> loaded_;
    std::mutex jails_mutex_;
    /// The same for a jail's filter rules, as they were shown when they were first seen complete after apply().
    std::map<JailId, std::string> jails_seen_;
};

}  // namespace jaild::kernel
