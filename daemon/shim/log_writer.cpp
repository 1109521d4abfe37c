#include "daemon/shim/log_writer.h"

#include <fcntl.h>
#include <stdio.h>  // renameat(2)
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/clock.h"
#include "core/base/files.h"

namespace jaild::shim {

void LineSplitter::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto room = kMaxLogText - text_.size();
        const auto newline = bytes.substr(0, room + 1).find('\n');
        const bool whole = newline != std::string_view::npos;
        const auto part = bytes.substr(0, whole ? newline : room);
        text_ += part;
        bytes.remove_prefix(part.size() + (whole ? 1 : 0));
        if (!whole && text_.size() < kMaxLogText) return;
        log_->record(stream_, !whole, text_);
        text_.clear();
        begun_ = !whole;
    }
}

void LineSplitter::flush(bool ended) {
    // A line whose begin is written ends at the latest with its stream.
    if (!text_.empty() || (ended && begun_)) log_->record(stream_, !ended, text_);
    begun_ = !ended && (begun_ || !text_.empty());
    text_.clear();
}

void LogWriter::note(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        record(LogStream::jaild, false, text.substr(begin, std::min(end - begin, kMaxLogText)));
        begin = end + 1;
    }
}

void LogWriter::record(LogStream stream, bool goes_on, std::string_view text) {
    const auto now = Clock::system().utc();
    if (lost_ > 0 && ready()) {
        const auto count = lost_;
        lost_ = 0;
        write(format_record(now, LogStream::jaild, false,
                            std::to_string(count) + " bytes of the log were lost: the disk took no more"));
    }
    write(format_record(now, stream, goes_on, text));
}

void LogWriter::give_up() {
    ::unlinkat(directory_, kOldLogName, 0);
    if (!ready() || ::ftruncate(file_.get(), 0) != 0) return;
    size_ = 0;
}

void LogWriter::write(std::string_view record) {
    if (!ready()) {
        lost_ += record.size();
        return;
    }
    if (size_ + static_cast<std::int64_t>(record.size()) > kMaxLogBytes) rotate();
    if (!ready()) {
        lost_ += record.size();
        return;
    }
    ssize_t put = -1;
    do {
        put = ::write(file_.get(), record.data(), record.size());
    } while (put < 0 && errno == EINTR);
    if (put > 0) size_ += put;
    if (put == static_cast<ssize_t>(record.size())) return;
    // Half a record would run into the next one.
    if (put > 0 && ::ftruncate(file_.get(), size_ - put) == 0) size_ -= put;
    lost_ += record.size();
}

bool LogWriter::ready() {
    if (file_) return true;
    auto opened = files::open_beneath(directory_, kLogName, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0600);
    if (!opened) return false;
    struct stat seen {};
    if (::fstat(opened->get(), &seen) != 0 || !S_ISREG(seen.st_mode)) return false;
    size_ = seen.st_size;
    file_ = *std::move(opened);
    return true;
}

void LogWriter::rotate() {
    if (::renameat(directory_, kLogName, directory_, kOldLogName) != 0 && errno != ENOENT) {
        // It cannot be put aside: begin anew rather than grow for ever.
        if (::ftruncate(file_.get(), 0) == 0) size_ = 0;
        return;
    }
    file_.reset();
}

}  // namespace jaild::shim
