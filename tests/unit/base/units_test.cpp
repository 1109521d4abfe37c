#include "core/base/units.h"

#include <limits>

#include "core/base/clock.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

TEST_CASE("a size reads as rctl(8) and ZFS write it", "[units]") {
    const auto [text, count] = GENERATE(table<const char*, std::uint64_t>({{"0", 0},
                                                                           {"4096", 4096},
                                                                           {"1K", 1024},
                                                                           {"1k", 1024},
                                                                           {"512M", 512ULL << 20},
                                                                           {"512MB", 512ULL << 20},
                                                                           {"1.5G", 3ULL << 29},
                                                                           {"0.000000001E", 1152921504},
                                                                           {"15E", 15ULL << 60},
                                                                           {"18446744073709551615", ~0ULL}}));
    CHECK(value_of(Bytes::parse(text)).count == count);
}

TEST_CASE("what is no size, or none that fits, is refused", "[units]") {
    const auto* text = GENERATE("", "M", "-1", "+1", " 1", "1 M", "1.M", "1.5", ".5G", "1X", "1MM", "1iB", "16E",
                                "15.9999999999E", "18446744073709551616", "1.5.5G", "0x10", "1e3");
    INFO(text);
    CHECK(error_of(Bytes::parse(text)).code == Errc::invalid);
}

TEST_CASE("a size prints exactly and reads back as itself", "[units]") {
    const auto [count, text] = GENERATE(table<std::uint64_t, std::string>({{0, "0"},
                                                                           {1023, "1023"},
                                                                           {1024, "1K"},
                                                                           {1025, "1025"},
                                                                           {512ULL << 20, "512M"},
                                                                           {3ULL << 29, "1536M"},
                                                                           {1ULL << 60, "1E"}}));
    CHECK(Bytes{count}.to_string() == text);
    CHECK(value_of(Bytes::parse(text)).count == count);
}

TEST_CASE("a time prints as RFC 3339 with milliseconds and reads back as itself", "[units]") {
    const auto [milliseconds, text] =
        GENERATE(table<std::int64_t, std::string>({{0, "1970-01-01T00:00:00.000Z"},
                                                   {1, "1970-01-01T00:00:00.001Z"},
                                                   {-1, "1969-12-31T23:59:59.999Z"},
                                                   {951'782'400'000, "2000-02-29T00:00:00.000Z"},
                                                   {1'795'300'115'123, "2026-11-21T22:28:35.123Z"}}));
    CHECK(UtcTime{milliseconds}.to_string() == text);
    CHECK(value_of(UtcTime::parse(text)).milliseconds == milliseconds);
}

TEST_CASE("a time may come with an offset, another fraction or none", "[units]") {
    const auto noon = value_of(UtcTime::parse("2026-11-21T12:00:00.000Z")).milliseconds;
    CHECK(value_of(UtcTime::parse("2026-11-21T12:00:00Z")).milliseconds == noon);
    CHECK(value_of(UtcTime::parse("2026-11-21t13:30:00+01:30")).milliseconds == noon);
    CHECK(value_of(UtcTime::parse("2026-11-21T07:00:00-05:00")).milliseconds == noon);
    CHECK(value_of(UtcTime::parse("2026-11-21T12:00:00.5Z")).milliseconds == noon + 500);
    CHECK(value_of(UtcTime::parse("2026-11-21T12:00:00.0019999Z")).milliseconds == noon + 1);
    CHECK(value_of(UtcTime::parse("2016-12-31T23:59:60Z")) == value_of(UtcTime::parse("2017-01-01T00:00:00Z")));
}

TEST_CASE("what is no time is refused", "[units]") {
    const auto* text =
        GENERATE("", "2026-11-21", "2026-11-21 12:00:00Z", "2026-11-21T12:00:00", "2026-02-29T12:00:00Z",
                 "2026-13-01T12:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T12:00:00.Z", "2026-11-21T12:00:00ZZ",
                 "26-11-21T12:00:00Z", "2026-11-21T12:00:00+1:00", "+026-11-21T12:00:00Z");
    INFO(text);
    CHECK(error_of(UtcTime::parse(text)).code == Errc::invalid);
}

TEST_CASE("the system's clocks run, and monotonic never backwards", "[units]") {
    auto& clock = Clock::system();
    const auto first = clock.monotonic();
    CHECK(clock.monotonic() >= first);
    CHECK(clock.utc().milliseconds > value_of(UtcTime::parse("2024-01-01T00:00:00Z")).milliseconds);
}
