#include "api/v1/log_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace jaild::api::v1 {
namespace {

constexpr std::size_t kLogPiece = 64 * 1024;
/// Enough to tell two logs apart: the first record begins with its time.
constexpr std::size_t kBeginning = 256;

Result<std::int64_t> size_of(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return std::unexpected(Error::from_errno("fstat", errno, "the log"));
    return static_cast<std::int64_t>(status.st_size);
}

/// Where the last `lines` lines of `text` begin; nothing when it holds fewer.
std::optional<std::size_t> start_of_last(std::string_view text, std::size_t lines) {
    if (lines == 0) return text.size();
    // The newline that ends the last line is not the one before it.
    auto at = text.ends_with('\n') ? text.size() - 1 : text.size();
    for (std::size_t found = 0; found < lines; ++found) {
        if (at == 0) return std::nullopt;
        at = text.rfind('\n', at - 1);
        if (at == std::string_view::npos) return std::nullopt;
    }
    return at + 1;
}

}  // namespace

Result<std::string> LogReader::read_at(int file, std::int64_t offset, std::size_t size) const {
    if (file < 0) return std::string{};
    std::string bytes(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
        const auto count =
            ::pread(file, bytes.data() + filled, size - filled, offset + static_cast<std::int64_t>(filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(Error::from_errno("pread", errno, "the log"));
        if (count == 0) break;
        filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
}

Result<void> LogReader::seek_to_last(std::size_t lines) {
    if (!file_) return {};
    auto size = size_of(file_.get());
    if (!size) return std::unexpected(size.error());
    // Usually the lines are near the end; each further look takes in four times as much.
    for (auto window = static_cast<std::int64_t>(kLogPiece);; window *= 4) {
        const auto begin = std::max<std::int64_t>(*size - window, 0);
        auto bytes = read_at(file_.get(), begin, static_cast<std::size_t>(*size - begin));
        if (!bytes) return std::unexpected(bytes.error());
        if (const auto start = start_of_last(*bytes, lines)) {
            offset_ = begin + static_cast<std::int64_t>(*start);
            return {};
        }
        if (begin == 0) return {};
    }
}

Result<std::string> LogReader::read() {
    // Records without their last line break, and pieces of lines, stay in text_: what is read is not always given out.
    while (true) {
        auto bytes = read_at(file_.get(), offset_, kLogPiece);
        if (!bytes) return bytes;
        if (bytes->empty() && !next_) return bytes;
        if (bytes->empty()) {
            file_ = std::exchange(next_, {});
            offset_ = 0;
            text_ = {};
            continue;
        }
        offset_ += static_cast<std::int64_t>(bytes->size());
        if (form_ == LogForm::records) return bytes;
        auto text = text_.feed(*bytes);
        if (!text.empty()) return text;
    }
}

bool LogReader::is_continued_by(int file) const {
    struct stat old_status {};
    struct stat new_status {};
    if (::fstat(file_.get(), &old_status) != 0 || ::fstat(file, &new_status) != 0) return false;
    if (old_status.st_dev == new_status.st_dev && old_status.st_ino == new_status.st_ino) return true;
    if (new_status.st_size < offset_) return false;
    const auto size = std::min(kBeginning, static_cast<std::size_t>(offset_));
    const auto old_bytes = read_at(file_.get(), 0, size);
    const auto new_bytes = read_at(file, 0, size);
    return old_bytes && new_bytes && *old_bytes == *new_bytes;
}

void LogReader::follow_to(UniqueFd file) {
    if (is_continued_by(file.get()))
        file_ = std::move(file);
    else
        next_ = std::move(file);
}

}  // namespace jaild::api::v1
