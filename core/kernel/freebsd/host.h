#pragma once

#include "core/kernel/freebsd/firewall.h"
#include "core/kernel/host.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel {

/// This FreeBSD machine. Blocking; any thread.
class FreeBsdHost final : public Host {
public:
    /// `firewall` is borrowed: doctor asks it whether it can work.
    FreeBsdHost(const DriverOptions& options, FreeBsdFirewall& firewall) : options_(options), firewall_(firewall) {}

    Result<model::HostInfo> facts() override;
    Result<std::string> identity() override;
    Result<std::string> boot() override;
    Result<std::vector<model::Check>> checks() override;

private:
    DriverOptions options_;
    FreeBsdFirewall& firewall_;
};

}  // namespace jaild::kernel
