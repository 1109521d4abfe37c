#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/client/client.h"

namespace jaild::client {

struct ExecSettings {
    std::string target;  ///< "/v1/jails/web/exec"
    std::string order;   ///< JSON: argv, env, user, directory, terminal
    bool input = false;  ///< standard input is the program's, to its end
    /// Then SIGTERM, and after `grace` SIGKILL. 0: never.
    Milliseconds timeout{0};
    Milliseconds grace{10'000};
};

struct ExecEnd {
    int exit_code = 0;
    bool timed_out = false;
    /// jaild did not run it, or cannot say how it ended: a problem as JSON.
    std::optional<Response> problem{};
};

/// A program in a jail with our own standard streams, over a connection of its own. run() blocks the thread that calls
/// it; signal() and resize() are for any other, before it and meanwhile.
class ExecStream {
public:
    ExecStream(Endpoint endpoint, std::string token, ExecSettings settings);
    ~ExecStream();

    /// All that the program wrote is written when it returns. Errors as Client::send(); Errc::kernel "output_failed"
    /// when ours takes no more: the program is ended then, as with each Error.
    Result<ExecEnd> run();

    /// To the program: "TERM".
    void signal(std::string name);
    void resize(unsigned rows, unsigned columns);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild::client
