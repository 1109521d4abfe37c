#pragma once

#include "core/kernel/freebsd/breach_watch.h"
#include "core/kernel/freebsd/firewall.h"
#include "core/kernel/host.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel {

/// This FreeBSD machine. Blocking; any thread.
class FreeBsdHost final : public Host {
public:
    /// `firewall` and `breaches` are borrowed: doctor asks them whether they can work.
    FreeBsdHost(const DriverOptions& options, FreeBsdFirewall& firewall, const freebsd::BreachWatch& breaches)
        : options_(options), firewall_(firewall), breaches_(breaches) {}

    Result<model::HostInfo> facts() override;
    Result<std::string> identity() override;
    Result<std::string> boot() override;
    Result<std::vector<model::Check>> checks() override;

private:
    DriverOptions options_;
    FreeBsdFirewall& firewall_;
    const freebsd::BreachWatch& breaches_;
};

}  // namespace jaild::kernel
