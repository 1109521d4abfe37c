#pragma once

#include <nlohmann/json_fwd.hpp>

namespace jaild::kernel {

/// The profile of seccomp_profile.h as `linux.seccomp` of the OCI runtime specification. The runtime puts it on process
/// 1 of a jail and on every program that it starts there later.
nlohmann::json oci_seccomp();

}  // namespace jaild::kernel
