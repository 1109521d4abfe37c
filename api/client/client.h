#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/client/endpoint.h"
#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::client {

struct Request {
    std::string method = "GET";
    std::string target;
    std::string body{};
    std::string content_type = "application/json";  ///< sent with a body only
    std::vector<std::pair<std::string, std::string>> headers{};
    /// Instead of `body`: gives its next piece, empty at the end, and is asked again when that was sent. An Error
    /// leaves the body unfinished, which jaild takes for one that was cut off. Then `timeout` counts from its end; no
    /// piece may take longer than it either.
    std::function<Result<std::string>()> upload{};
    Milliseconds timeout{330'000};  ///< for the whole answer; longer than the longest `Prefer: wait`
};

struct Response {
    unsigned status = 0;
    std::string content_type;
    std::string location;
    std::string body;
};

/// One connection to a daemon, blocking, one request at a time. For programs: not thread-safe.
class Client {
public:
    /// Connects at the first request.
    explicit Client(Endpoint endpoint, std::string token = {});
    ~Client();

    /// Errc::not_found "no_daemon" when nobody listens, Errc::denied when the socket may not be opened,
    /// Errc::busy "timeout", Errc::kernel otherwise. Any HTTP status is a Response. A GET on a connection that was
    /// kept, and that the daemon has closed, is sent again on a new one.
    Result<Response> send(const Request& request);

    /// Hands the body over as it comes, until it ends or `on_data` returns false. An answer that is not 2xx comes back
    /// whole. No timeout.
    Result<Response> stream(const Request& request, const std::function<bool(std::string_view)>& on_data);

    [[nodiscard]] const Endpoint& endpoint() const;
    [[nodiscard]] const std::string& token() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// One segment of a path, percent-encoded (RFC 3986).
std::string encode(std::string_view segment);

}  // namespace jaild::client
