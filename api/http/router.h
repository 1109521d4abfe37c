#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http/message.h"
#include "core/base/error.h"

namespace jaild::api {

/// Who may call a route; a viewer's role is needed at least, but for those that need nobody's name.
enum class Access { anyone, viewer, operator_ };

/// Which content a request must carry.
enum class Content {
    none,
    json,
    merge_patch,
    stream,  ///< bytes of any type, handed over by Request::source as they come
};

/// Answers at once, without blocking.
using QuickHandler = std::function<Response(const Request&)>;
using Handler = std::function<asio::awaitable<Response>(const Request&)>;

struct Route {
    Method method;
    std::string_view pattern;  ///< "/v1/jails/{name}", at most two placeholders
    Access access = Access::viewer;
    Content content = Content::none;
    std::vector<std::string_view> parameters{};  ///< of the query; only "label" and "private" may repeat
    std::variant<QuickHandler, Handler> handler{};
};

/// Finds the route of a request by its decoded path. GET answers HEAD too.
class Router {
public:
    void add(Route route);

    struct Match {
        const Route* route = nullptr;
        std::string parameter{};  ///< of the first placeholder
        std::string item{};       ///< of the second one
    };
    /// Errc::not_found "route_not_found"; Errc::unsupported "method_not_allowed".
    [[nodiscard]] Result<Match> find(Method method, const Target& target) const;
    /// For Allow: "GET, HEAD, OPTIONS"; empty when nothing is there. All that any route knows for "*".
    [[nodiscard]] std::string allowed(const Target& target) const;

private:
    struct Resource {
        std::vector<std::string_view> segments;
        std::vector<Route> routes;
    };
    [[nodiscard]] const Resource* resource(const std::vector<std::string>& segments) const;
    std::vector<Resource> resources_;
};

/// Errc::invalid "unknown_parameter", "duplicate_parameter".
Result<void> check_parameters(const Route& route, const Query& query);

/// By Content-Type, parameters aside: Errc::invalid "unsupported_media_type"; "unexpected_body" where there must be
/// none.
Result<void> check_content(const Route& route, const Request& request, bool has_body);

}  // namespace jaild::api
