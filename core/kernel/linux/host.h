#pragma once

#include "core/kernel/host.h"
#include "core/kernel/kernel.h"

namespace jaild::kernel {

/// This Linux machine. Blocking; any thread. Network checks look at the calling thread's network namespace.
class LinuxHost final : public Host {
public:
    explicit LinuxHost(const DriverOptions& options) : options_(options) {}

    Result<model::HostInfo> facts() override;
    Result<std::string> identity() override;
    Result<std::string> boot() override;
    Result<std::vector<model::Check>> checks() override;

private:
    DriverOptions options_;
};

}  // namespace jaild::kernel
