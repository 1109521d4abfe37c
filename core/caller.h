#pragma once

#include <string>

namespace jaild {

/// What somebody may do: a viewer reads, an operator changes jails and runs programs in them, an admin does everything.
enum class Role { viewer, operator_, admin };

/// Who asks. Made by api/ from peer credentials or a token; checked again behind the seam.
struct Caller {
    std::string principal;  ///< "uid:0", "token:ci"
    Role role = Role::viewer;
};

}  // namespace jaild
