#include "core/base/units.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

#include "core/base/ascii.h"

namespace jaild {
namespace {

constexpr std::string_view kSuffixes = "KMGTPE";
constexpr std::size_t kFractionDigits = 9;

std::size_t count_digits(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    return count;
}

std::optional<std::uint64_t> number(std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
    return value;
}

/// 0 for no suffix, 10 for K, 20 for M …; nothing for a suffix that is none. "KB" is "K", as for rctl(8).
std::optional<unsigned> shift_of(std::string_view suffix) {
    if (suffix.empty()) return 0;
    const char letter = suffix[0] >= 'a' && suffix[0] <= 'z' ? static_cast<char>(suffix[0] - 'a' + 'A') : suffix[0];
    const auto at = kSuffixes.find(letter);
    const auto rest = suffix.substr(1);
    if (at == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "b")) return std::nullopt;
    return static_cast<unsigned>(10 * (at + 1));
}

}  // namespace

Result<Bytes> Bytes::parse(std::string_view text) {
    const auto refused = [](const char* why) { return std::unexpected(Error::invalid("invalid_size", "", why)); };
    const auto whole_digits = count_digits(text);
    auto rest = text.substr(whole_digits);
    std::string_view fraction;
    if (rest.starts_with('.')) {
        fraction = rest.substr(1, count_digits(rest.substr(1)));
        if (fraction.empty() || fraction.size() > kFractionDigits)
            return refused("a size has 1 to 9 digits after its point");
        rest = rest.substr(1 + fraction.size());
    }
    if (whole_digits == 0) return refused("a size begins with a digit: \"512M\"");
    const auto shift = shift_of(rest);
    if (!shift || (!fraction.empty() && *shift == 0))
        return refused("a size ends with one of K, M, G, T, P, E: \"512M\"");

    const auto whole = number(text.substr(0, whole_digits));
    const std::uint64_t factor = std::uint64_t{1} << *shift;
    if (!whole || *whole > std::numeric_limits<std::uint64_t>::max() / factor) return refused("a size beyond 64 bits");
    std::uint64_t parts = 0;
    std::uint64_t unit = 1;
    for (const char c : fraction) {
        parts = parts * 10 + static_cast<std::uint64_t>(c - '0');
        unit *= 10;
    }
    // Divided first, so that no product leaves 64 bits: parts and unit are at most 10^9.
    const std::uint64_t extra = factor / unit * parts + factor % unit * parts / unit;
    if (*whole * factor > std::numeric_limits<std::uint64_t>::max() - extra) return refused("a size beyond 64 bits");
    return Bytes{*whole * factor + extra};
}

std::string Bytes::to_string() const {
    auto value = count;
    std::size_t suffix = 0;
    while (value != 0 && value % 1024 == 0 && suffix < kSuffixes.size()) {
        value /= 1024;
        ++suffix;
    }
    auto text = std::to_string(value);
    if (suffix > 0) text += kSuffixes[suffix - 1];
    return text;
}

std::string UtcTime::to_string() const {
    using namespace std::chrono;
    const sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{milliseconds}};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

namespace {

/// Reads RFC 3339 from front to back; every take() fails for good once one failed.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}
    int digits(std::size_t count, int low, int high) {
        const auto value = rest_.size() >= count && count_digits(rest_.substr(0, count)) == count
                               ? number(rest_.substr(0, count))
                               : std::nullopt;
        if (!value || static_cast<int>(*value) < low || static_cast<int>(*value) > high) {
            good_ = false;
            return low;
        }
        rest_.remove_prefix(count);
        return static_cast<int>(*value);
    }
    /// Takes one character of `any`; '\0' when there is none of them.
    char optional(std::string_view any) {
        if (rest_.empty() || any.find(rest_.front()) == std::string_view::npos) return '\0';
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    char one(std::string_view any) {
        const char c = optional(any);
        if (c == '\0') good_ = false;
        return c;
    }
    /// Digits of a fraction of a second; those beyond milliseconds are dropped.
    int fraction() {
        const auto count = count_digits(rest_);
        if (count == 0) good_ = false;
        int value = 0;
        for (std::size_t i = 0; i < 3; ++i) value = value * 10 + (i < count ? rest_[i] - '0' : 0);
        rest_.remove_prefix(count);
        return value;
    }
    [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

Result<UtcTime> UtcTime::parse(std::string_view text) {
    using namespace std::chrono;
    Reader reader(text);
    const int year_number = reader.digits(4, 0, 9999);
    reader.one("-");
    const int month_number = reader.digits(2, 1, 12);
    reader.one("-");
    const int day_number = reader.digits(2, 1, 31);
    reader.one("Tt");
    const int hour = reader.digits(2, 0, 23);
    reader.one(":");
    const int minute = reader.digits(2, 0, 59);
    reader.one(":");
    const int second =
        reader.digits(2, 0, 60);  // 60: a leap second (RFC 3339 §5.6), counted as the next minute's first
    const int fraction = reader.optional(".") != '\0' ? reader.fraction() : 0;
    const char zone = reader.one("Zz+-");
    int offset = 0;
    if (zone == '+' || zone == '-') {
        offset = reader.digits(2, 0, 23) * 60;
        reader.one(":");
        offset += reader.digits(2, 0, 59);
        if (zone == '-') offset = -offset;
    }
    const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                              day{static_cast<unsigned>(day_number)}};
    if (!reader.done() || !date.ok())
        return std::unexpected(
            Error::invalid("invalid_time", "", "a time reads like 2026-11-21T22:28:35.123Z (RFC 3339)"));
    const auto time =
        sys_days{date} + hours{hour} + minutes{minute - offset} + seconds{second} + std::chrono::milliseconds{fraction};
    return UtcTime{duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count()};
}

}  // namespace jaild
