#include "api/http/router.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

namespace jaild::api {
namespace {

bool is_placeholder(std::string_view segment) {
    return segment.starts_with('{');
}

std::vector<std::string_view> split(std::string_view pattern) {
    std::vector<std::string_view> segments;
    pattern.remove_prefix(1);
    while (true) {
        const auto end = pattern.find('/');
        segments.push_back(pattern.substr(0, end));
        if (end == std::string_view::npos) return segments;
        pattern.remove_prefix(end + 1);
    }
}

bool matches(const std::vector<std::string_view>& pattern, const std::vector<std::string>& path) {
    if (pattern.size() != path.size()) return false;
    for (std::size_t i = 0; i < path.size(); ++i)
        if (is_placeholder(pattern[i]) ? path[i].empty() : pattern[i] != path[i]) return false;
    return true;
}

void add_methods(const std::vector<Route>& routes, std::set<std::string_view>& methods) {
    for (const auto& route : routes) {
        methods.insert(to_string(route.method));
        if (route.method == Method::get) methods.insert(to_string(Method::head));
    }
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// True for "application/json; charset=utf-8" and its like; `type` in lower case.
bool is_media_type(std::string_view value, std::string_view type) {
    const auto end = value.find(';');
    if (!equal_ignoring_case(trim(value.substr(0, end)), type)) return false;
    if (end == std::string_view::npos) return true;
    const auto parameter = trim(value.substr(end + 1));
    return parameter.empty() || equal_ignoring_case(parameter, "charset=utf-8") ||
           equal_ignoring_case(parameter, "charset=\"utf-8\"");
}

/// Bytes of any type; those of a form would be its framing.
Result<void> check_stream(std::string_view type) {
    if (!equal_ignoring_case(trim(type.substr(0, type.find(';'))), "multipart/form-data")) return {};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "content",
                                 .detail = "the body is a form",
                                 .reason = "unsupported_media_type",
                                 .remedy = "send the file itself: curl -T FILE -X POST"});
}

}  // namespace

void Router::add(Route route) {
    auto segments = split(route.pattern);
    const auto known = std::find_if(resources_.begin(), resources_.end(),
                                    [&](const Resource& resource) { return resource.segments == segments; });
    if (known != resources_.end()) {
        known->routes.push_back(std::move(route));
        return;
    }
    auto& added = resources_.emplace_back(Resource{.segments = std::move(segments), .routes = {}});
    added.routes.push_back(std::move(route));
}

const Router::Resource* Router::resource(const std::vector<std::string>& segments) const {
    const auto found = std::find_if(resources_.begin(), resources_.end(),
                                    [&](const Resource& candidate) { return matches(candidate.segments, segments); });
    return found == resources_.end() ? nullptr : &*found;
}

Result<Router::Match> Router::find(Method method, const Target& target) const {
    const auto* found = resource(target.segments);
    if (!found || target.asterisk)
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "route",
                                     .detail = "there is nothing at this path",
                                     .reason = "route_not_found",
                                     .remedy = "GET /openapi.json describes every path"});
    const auto wanted = method == Method::head ? Method::get : method;
    const auto route = std::find_if(found->routes.begin(), found->routes.end(),
                                    [wanted](const Route& candidate) { return candidate.method == wanted; });
    if (route == found->routes.end())
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "route",
                                     .detail = fmt::format("this path takes {}", allowed(target)),
                                     .reason = "method_not_allowed"});
    Match match{.route = &*route};
    auto* place = &match.parameter;
    for (std::size_t i = 0; i < found->segments.size(); ++i)
        if (is_placeholder(found->segments[i])) *std::exchange(place, &match.item) = target.segments[i];
    return match;
}

std::string Router::allowed(const Target& target) const {
    std::set<std::string_view> methods;
    if (target.asterisk)
        for (const auto& each : resources_) add_methods(each.routes, methods);
    else if (const auto* found = resource(target.segments))
        add_methods(found->routes, methods);
    if (methods.empty()) return {};
    methods.insert(to_string(Method::options));
    return fmt::format("{}", fmt::join(methods, ", "));
}

Result<void> check_parameters(const Route& route, const Query& query) {
    std::set<std::string_view> seen;
    for (const auto& [name, value] : query.items()) {
        if (std::find(route.parameters.begin(), route.parameters.end(), name) == route.parameters.end())
            return std::unexpected(Error{
                .code = Errc::invalid,
                .op = "query",
                .detail = fmt::format("this path does not know the query parameter \"{}\"", name),
                .reason = "unknown_parameter",
                .remedy = route.parameters.empty() ? "it takes none"
                                                   : fmt::format("it takes {}", fmt::join(route.parameters, ", "))});
        if (!seen.insert(name).second && name != "label" && name != "private")
            return std::unexpected(Error{.code = Errc::invalid,
                                         .op = "query",
                                         .detail = fmt::format("the query parameter \"{}\" is there twice", name),
                                         .reason = "duplicate_parameter"});
    }
    return {};
}

Result<void> check_content(const Route& route, const Request& request, bool has_body) {
    if (route.content == Content::none) {
        if (!has_body) return {};
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "content",
                                     .detail = "this request takes no body",
                                     .reason = "unexpected_body"});
    }
    const auto type = request.field("Content-Type").value_or("");
    if (route.content == Content::stream) return check_stream(type);
    const bool plain = !request.field("Content-Encoding");
    if (plain && is_media_type(type, "application/json")) return {};
    if (plain && route.content == Content::merge_patch && is_media_type(type, "application/merge-patch+json"))
        return {};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "content",
                                 .detail = plain ? fmt::format("the content type \"{}\" is not understood here", type)
                                                 : "encoded content is not understood",
                                 .reason = "unsupported_media_type",
                                 .remedy = route.content == Content::merge_patch
                                               ? "send application/merge-patch+json or application/json"
                                               : "send application/json"});
}

}  // namespace jaild::api
