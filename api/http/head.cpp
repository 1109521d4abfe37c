#include "api/http/head.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "api/http/problem.h"

namespace jaild::api {
namespace {

// Answers are about a moment, and for this caller: nobody may keep them.
constexpr std::string_view kAlways =
    "Server: jaild\r\nCache-Control: no-store\r\nVary: Authorization, Prefer\r\nX-Content-Type-Options: nosniff\r\n";

bool has_content(unsigned status) {
    return status != 204 && status != 304;
}

void add_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void write_head(std::string& out, const Response& response, Framing framing, bool keep_alive, std::string_view date) {
    out.assign("HTTP/1.1 ");
    fmt::format_to(std::back_inserter(out), "{} ", response.status);
    out.append(phrase_of(response.status)).append("\r\n");
    add_field(out, "Date", date);
    out.append(kAlways);
    for (const auto& [name, value] : response.fields) add_field(out, name, value);
    if (has_content(response.status)) {
        add_field(out, "Content-Type", response.content_type);
        if (framing == Framing::chunked) add_field(out, "Transfer-Encoding", "chunked");
        if (framing == Framing::length)
            fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.content().size());
    }
    if (!keep_alive) add_field(out, "Connection", "close");
    out.append("\r\n");
}

std::string_view HttpDate::now() {
    const auto now = std::time(nullptr);
    if (now == second_) return text_;
    // Not strftime(3): its names follow the locale.
    constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    text_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(utc.tm_wday)],
                        utc.tm_mday, kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                        utc.tm_min, utc.tm_sec);
    second_ = now;
    return text_;
}

}  // namespace jaild::api
