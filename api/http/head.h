#pragma once

#include <string>
#include <string_view>

#include "api/http/message.h"

namespace jaild::api {

/// How the end of a response's body is told (RFC 9112 §6.3).
enum class Framing { length, chunked, close };

/// Writes a response's status line and fields to `out`, replacing what it held.
void write_head(std::string& out, const Response& response, Framing framing, bool keep_alive, std::string_view date);

/// "Sat, 21 Nov 2026 22:28:35 GMT" (RFC 9110 §5.6.7), made once a second. I/O thread.
class HttpDate {
public:
    std::string_view now();

private:
    long long second_ = -1;
    std::string text_;
};

}  // namespace jaild::api
