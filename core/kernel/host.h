#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/host.h"

namespace jaild::kernel {

/// The machine itself. Blocking.
class Host {
public:
    virtual ~Host() = default;
    /// os, release, machine, kernel_driver, network_modes, root_kinds, limits, parameters filled in; the rest is the
    /// supervisor's.
    virtual Result<model::HostInfo> facts() = 0;
    /// What binds a state directory to this machine and boot-independent: machine-id(5), kern.hostuuid.
    virtual Result<std::string> identity() = 0;
    /// Another text after each start of the machine.
    virtual Result<std::string> boot() = 0;
    /// Lines for `jaildctl doctor`.
    virtual Result<std::vector<model::Check>> checks() = 0;
};

}  // namespace jaild::kernel
