#include "core/base/error.h"

#include <cerrno>
#include <cstring>

namespace jaild {
namespace {

// strerror_r(3) answers with the text (GNU) or with an error number and the text in the buffer (POSIX, FreeBSD).
[[maybe_unused]] const char* text_of(const char* answer, const char*) {
    return answer;
}
[[maybe_unused]] const char* text_of(int, const char* buffer) {
    return buffer;
}

std::string errno_text(int number) {
    char buffer[128] = "";
    return text_of(::strerror_r(number, buffer, sizeof buffer), buffer);
}

std::string one_line(const std::string& text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string line;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            line += c;
        } else {
            line.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
        }
    }
    return line;
}

Errc code_of(int number) {
    switch (number) {
        case ENOENT:
            return Errc::not_found;
        case EBUSY:
            return Errc::busy;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
            return Errc::exhausted;
        case EPERM:
        case EACCES:
            return Errc::denied;
        default:
            return Errc::kernel;
    }
}

}  // namespace

Error Error::from_errno(std::string_view op, int saved, std::string detail) {
    if (!detail.empty()) detail += ": ";
    detail += errno_text(saved);
    return Error{.code = code_of(saved), .op = op, .sys = saved, .detail = std::move(detail)};
}

Error Error::invalid(std::string_view reason, std::string field, std::string detail) {
    return Error{.code = Errc::invalid,
                 .op = "validate",
                 .detail = std::move(detail),
                 .reason = reason,
                 .field = std::move(field)};
}

std::string_view Error::name() const {
    return reason.empty() ? jaild::to_string(code) : reason;
}

std::string Error::to_string() const {
    std::string line;
    if (!op.empty()) line.append(op).append(": ");
    line.append(name());
    if (!field.empty()) line.append(" at ").append(field);
    if (!detail.empty()) line.append(": ").append(detail);
    if (sys != 0) {
        const auto text = errno_text(sys);
        line.append(" (errno ").append(std::to_string(sys));
        if (!detail.ends_with(text)) line.append(": ").append(text);
        line.append(")");
    }
    if (!remedy.empty()) line.append("; ").append(remedy);
    return one_line(line);
}

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::invalid:
            return "invalid";
        case Errc::not_found:
            return "not_found";
        case Errc::conflict:
            return "conflict";
        case Errc::stale:
            return "stale";
        case Errc::busy:
            return "busy";
        case Errc::exhausted:
            return "exhausted";
        case Errc::denied:
            return "denied";
        case Errc::unsupported:
            return "unsupported";
        case Errc::kernel:
            return "kernel";
        case Errc::corrupt:
            return "corrupt";
    }
    return "unknown";
}

}  // namespace jaild
