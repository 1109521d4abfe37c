#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/units.h"

/// The jail's log: the file `log` in the shim's directory, one record a line, with a prefix of always 27 bytes:
///
///     2026-11-21T22:28:35.123Z O text of standard output
///     2026-11-21T22:28:35.124Z E text of standard error
///     2026-11-21T22:28:35.125Z J a note of jaild's own
///     2026-11-21T22:28:35.126Z O+a piece of a line; the next record of the same stream goes on
///
/// A line longer than kMaxLogText, or one that waits for its end longer than a second (a prompt), is written in pieces.
/// When the file reaches kMaxLogBytes it becomes `log.1`, whose predecessor is gone, and a new one begins: who follows
/// the log looks whether its file is still the one of that name.
namespace jaild::shim {

inline constexpr std::size_t kLogPrefix = 27;
inline constexpr std::size_t kMaxLogText = 8 * 1024;
inline constexpr std::int64_t kMaxLogBytes = 16 * 1024 * 1024;  ///< of each of the two files
inline constexpr const char* kLogName = "log";
inline constexpr const char* kOldLogName = "log.1";

enum class LogStream : char { output = 'O', error_output = 'E', jaild = 'J' };

struct LogRecord {
    std::string_view time;  ///< RFC 3339
    LogStream stream = LogStream::output;
    bool goes_on = false;  ///< no newline behind it
    std::string_view text;
};

/// "<prefix><text>\n"
std::string format_record(UtcTime at, LogStream stream, bool goes_on, std::string_view text);
/// One line without its newline. Nothing for what is no record.
std::optional<LogRecord> parse_record(std::string_view line);

/// Turns the file's bytes, read in any pieces, into what the programs wrote. A line that is no record (a write that was
/// cut off by a full disk) is passed on as it is.
class LogText {
public:
    std::string feed(std::string_view bytes);

private:
    std::string partial_;
};

}  // namespace jaild::shim
