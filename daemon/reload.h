#pragma once

#include "api/server.h"
#include "daemon/config.h"

namespace jaild::daemon {

/// What the configuration says of the API.
api::ServerOptions server_options(const Config& config);

/// What SIGHUP does: reads the configuration again as at the start, and takes over the log level and the tokens. What
/// else has changed is named in the log and waits for the next start. A bad file changes nothing; the log says why.
/// Blocking.
void reload(const CommandLine& line, Config& current, api::Server& server);

}  // namespace jaild::daemon
