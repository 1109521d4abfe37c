#pragma once

#include <string>

#include "core/base/error.h"
#include "core/model/network.h"

namespace jaild::kernel {

/// What no kernel of ours can do for a network yet: Errc::unsupported "unsupported_network_field" with the field.
Result<void> check_network_fields(const model::Network& network);

/// For an interface that a network names and the host does not have.
Error interface_not_found(const std::string& name, const char* field);

}  // namespace jaild::kernel
