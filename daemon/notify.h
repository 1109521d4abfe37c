#pragma once

#include <string_view>

namespace jaild::daemon {

/// Tells the service manager that started us, if it asked for it by NOTIFY_SOCKET (sd_notify(3)): "READY=1",
/// "STOPPING=1". Nothing happens without one, or when it does not listen.
void notify_service_manager(std::string_view state);

}  // namespace jaild::daemon
