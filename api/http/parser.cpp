#include "api/http/parser.h"

#include <fmt/format.h>

#include "api/http/host_guard.h"

namespace jaild::api {
namespace {

namespace http = boost::beast::http;

Error refused(std::string_view reason, std::string detail) {
    return {.code = Errc::invalid, .op = "parse_request", .detail = std::move(detail), .reason = reason};
}

std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

Method method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get:
            return Method::get;
        case http::verb::head:
            return Method::head;
        case http::verb::post:
            return Method::post;
        case http::verb::put:
            return Method::put;
        case http::verb::patch:
            return Method::patch;
        case http::verb::delete_:
            return Method::delete_;
        case http::verb::options:
            return Method::options;
        default:
            return Method::other;
    }
}

}  // namespace

RequestParser::RequestParser(const Limits& limits) : limits_(limits) {
    parser_.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    // allow_body() has the limit, when it is known who asks for what.
    parser_.body_limit(boost::none);
}

Result<std::size_t> RequestParser::put(std::string_view bytes) {
    const bool had_head = has_head();
    boost::beast::error_code failure;
    const auto taken = parser_.put(boost::asio::const_buffer(bytes.data(), bytes.size()), failure);
    if (failure && failure != http::error::need_more) return std::unexpected(explain(failure, bytes));
    if (!had_head) {
        // Beast bounds what it is given at a time, not the sum.
        head_bytes_ += taken;
        const auto waiting = has_head() ? 0 : bytes.size() - taken;
        if (head_bytes_ + waiting > limits_.header_bytes)
            return std::unexpected(head_too_large(head_bytes_ == 0 ? bytes : std::string_view{}));
    }
    return taken;
}

Request RequestParser::request() const {
    const auto& head = parser_.get();
    Request request;
    request.method = method_of(head.method());
    request.raw_target = view(head.target());
    request.fields.reserve(12);
    for (const auto& field : head) request.fields.emplace_back(view(field.name_string()), view(field.value()));
    return request;
}

Result<void> RequestParser::check_form(const Request& request) const {
    if (request.raw_target.size() > limits_.target_bytes)
        return std::unexpected(refused(
            "target_too_long", fmt::format("the request target is longer than {} bytes", limits_.target_bytes)));
    if (auto host = request_host(request); !host) return std::unexpected(host.error());
    if (const auto coding = request.field("Transfer-Encoding")) {
        if (request.count("Transfer-Encoding") > 1 || request.field("Content-Length") || version() < 11)
            return std::unexpected(refused("bad_framing", "the length of the body is told in two ways"));
        if (!equal_ignoring_case(*coding, "chunked"))
            return std::unexpected(refused("unsupported_transfer_coding", "only \"chunked\" is understood"));
    }
    const auto expectation = request.field("Expect");
    if (expectation && !equal_ignoring_case(*expectation, "100-continue"))
        return std::unexpected(refused("expectation_failed", "only \"100-continue\" is understood"));
    return {};
}

Result<void> RequestParser::allow_body(std::uint64_t bytes) {
    body_limit_ = bytes;
    const auto length = parser_.content_length();
    if (length && *length > bytes) return std::unexpected(body_too_large());
    parser_.body_limit(bytes);
    return {};
}

Error RequestParser::body_too_large() const {
    return refused("body_too_large", fmt::format("the body is larger than {} bytes", body_limit_));
}

Error RequestParser::head_too_large(std::string_view request_line) const {
    if (request_line.size() > limits_.target_bytes && request_line.find('\n') == std::string_view::npos)
        return refused("target_too_long",
                       fmt::format("the request target is longer than {} bytes", limits_.target_bytes));
    return refused("header_too_large",
                   fmt::format("the request line and fields are larger than {} bytes", limits_.header_bytes));
}

Error RequestParser::explain(boost::beast::error_code failure, std::string_view bytes) const {
    if (failure == http::error::header_limit) return head_too_large(bytes);
    if (failure == http::error::body_limit) return body_too_large();
    if (failure == http::error::bad_version) return refused("unsupported_version", "only HTTP/1.1 and 1.0 are spoken");
    if (failure == http::error::bad_content_length || failure == http::error::multiple_content_length ||
        failure == http::error::bad_transfer_encoding || failure == http::error::bad_chunk ||
        failure == http::error::bad_chunk_extension)
        return refused("bad_framing",
                       fmt::format("the length of the body is not told as HTTP does: {}", failure.message()));
    return refused("bad_request", fmt::format("this is not HTTP/1.1: {}", failure.message()));
}

}  // namespace jaild::api
