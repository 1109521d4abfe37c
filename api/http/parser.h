#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "api/http/limits.h"
#include "api/http/message.h"
#include "core/base/error.h"

namespace jaild::api {

/// Reads one request out of bytes, by Beast. Fed with put(); owns what a Request's views point to.
class RequestParser {
public:
    explicit RequestParser(const Limits& limits);

    /// Takes what it can from the front of `bytes` and returns how much that was; 0 means that it needs more bytes.
    Result<std::size_t> put(std::string_view bytes);
    [[nodiscard]] bool has_head() const { return parser_.is_header_done(); }
    [[nodiscard]] bool done() const { return parser_.is_done(); }
    [[nodiscard]] unsigned version() const { return parser_.get().version(); }
    [[nodiscard]] bool keep_alive() const { return parser_.get().keep_alive(); }
    [[nodiscard]] std::string_view body() const { return parser_.get().body(); }
    /// Of the head; `body` is still empty.
    [[nodiscard]] Request request() const;
    /// What Beast lets pass: Host other than once, framing that two readers could understand differently (RFC 9112
    /// §6.1), a body or a target over the limit, an expectation we do not know.
    [[nodiscard]] Result<void> check_form(const Request& request) const;

private:
    /// `request_line`: what of it came, if it is still incomplete.
    [[nodiscard]] Error head_too_large(std::string_view request_line) const;
    [[nodiscard]] Error explain(boost::beast::error_code failure, std::string_view bytes) const;

    const Limits& limits_;
    std::size_t head_bytes_ = 0;
    boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
};

}  // namespace jaild::api
