#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http/message.h"
#include "core/base/error.h"

namespace jaild::api {

/// The host of "host:port" or "[::1]:port", without brackets and port. Errc::invalid "bad_host".
Result<std::string_view> host_of(std::string_view authority);

/// True for localhost, 127.0.0.0/8 and ::1, as written.
bool is_loopback_name(std::string_view host);

/// Exactly one Host field, well formed: Errc::invalid "bad_host".
Result<std::string_view> request_host(const Request& request);

/// Against DNS rebinding: a page of somebody's whose name points to 127.0.0.1 sends its own name as Host. Loopback
/// names and `allowed` pass. Errc::denied "host_not_allowed".
Result<void> check_host(std::string_view host, const std::vector<std::string>& allowed);

}  // namespace jaild::api
