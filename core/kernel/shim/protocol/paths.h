#pragma once

#include <string>

#include "core/base/ids.h"

/// The files of a jail's shim, in `<state>/jails/<id>/shim/`, a directory of mode 0700 outside the jail's root: lock,
/// state, programs, shim.sock, log, log.1.
namespace jaild::shim {

inline constexpr const char* kSocketName = "shim.sock";

/// "jails/12/shim"
inline std::string directory_of(JailId id) {
    return "jails/" + std::to_string(id.value) + "/shim";
}

/// "jails/12/root"
inline std::string root_of(JailId id) {
    return "jails/" + std::to_string(id.value) + "/root";
}

}  // namespace jaild::shim
