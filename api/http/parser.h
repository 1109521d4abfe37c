#pragma once

#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "api/http/limits.h"
#include "api/http/message.h"
#include "core/base/error.h"

namespace jaild::api {

/// A body that grows with what comes. Beast's string_body reserves what Content-Length promises.
struct GrowingBody {
    using value_type = std::string;
    class reader {
    public:
        template <bool IsRequest, class Fields>
        reader(boost::beast::http::header<IsRequest, Fields>&, value_type& body) : body_(body) {}
        void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& failure) { failure = {}; }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::beast::error_code& failure) {
            failure = {};
            std::size_t taken = 0;
            for (auto each = boost::asio::buffer_sequence_begin(buffers);
                 each != boost::asio::buffer_sequence_end(buffers); ++each) {
                const boost::asio::const_buffer piece(*each);
                body_.append(static_cast<const char*>(piece.data()), piece.size());
                taken += piece.size();
            }
            return taken;
        }
        void finish(boost::beast::error_code& failure) { failure = {}; }

    private:
        value_type& body_;
    };
};

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
    /// What came of the body since the last call, for one that is handed over in pieces.
    void take(std::string& piece) {
        piece.clear();
        piece.swap(parser_.get().body());
    }
    /// Of the head; `body` is still empty.
    [[nodiscard]] Request request() const;
    /// What Beast lets pass: Host other than once, framing that two readers could understand differently (RFC 9112
    /// §6.1), a target over the limit, an expectation we do not know.
    [[nodiscard]] Result<void> check_form(const Request& request) const;
    /// How long the body may be. Errc::invalid "body_too_large" when it says that it is longer; put() says so of one
    /// that comes in chunks. Before any of it is read.
    Result<void> allow_body(std::uint64_t bytes);

private:
    /// `request_line`: what of it came, if it is still incomplete.
    [[nodiscard]] Error head_too_large(std::string_view request_line) const;
    [[nodiscard]] Error body_too_large() const;
    [[nodiscard]] Error explain(boost::beast::error_code failure, std::string_view bytes) const;

    const Limits& limits_;
    std::size_t head_bytes_ = 0;
    std::uint64_t body_limit_ = 0;
    boost::beast::http::request_parser<GrowingBody> parser_;
};

}  // namespace jaild::api
