#include "daemon/shim/log_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace jaild::shim {
namespace {

constexpr std::size_t kPerTurn = 64 * 1024;     ///< then the others have their turn
constexpr std::size_t kPerDrain = 1024 * 1024;  ///< a pipe's largest content (pipe(7), fs.pipe-max-size)
constexpr std::chrono::milliseconds kPromptDelay{1000};

}  // namespace

UniqueFd LogStreams::open_one(LogStream stream, Result<void>& done) {
    auto pipe = Pipe::create();
    if (!pipe) {
        done = std::unexpected(pipe.error());
        return {};
    }
    const int fd = pipe->read.get();
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    streams_.emplace(fd, Stream{.pipe = std::move(pipe->read), .lines = LineSplitter(log_, stream)});
    loop_.watch(fd, POLLIN, [this, fd](short) { read_some(fd, kPerTurn); });
    return std::move(pipe->write);
}

Result<std::array<UniqueFd, 3>> LogStreams::open() {
    std::array<UniqueFd, 3> ends;
    ends[0].reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!ends[0]) return std::unexpected(Error::from_errno("open", errno, "/dev/null"));
    Result<void> done;
    ends[1] = open_one(LogStream::output, done);
    ends[2] = open_one(LogStream::error_output, done);
    // A read end without its program sees the end of file in the next turn.
    if (!done) return std::unexpected(done.error());
    return ends;
}

bool LogStreams::read_some(int fd, std::size_t budget) {
    const auto found = streams_.find(fd);
    if (found == streams_.end()) return false;
    auto& stream = found->second;
    std::array<char, 16384> buffer;
    for (std::size_t total = 0; total < budget;) {
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
            stream.lines.flush(true);
            loop_.cancel(stream.flush_timer);
            loop_.forget(fd);
            streams_.erase(found);
            return false;
        }
        stream.lines.append({buffer.data(), static_cast<std::size_t>(got)});
        total += static_cast<std::size_t>(got);
    }
    if (stream.lines.waiting() && stream.flush_timer == 0)
        stream.flush_timer = loop_.after(kPromptDelay, [this, fd] {
            const auto late = streams_.find(fd);
            if (late == streams_.end()) return;
            late->second.flush_timer = 0;
            late->second.lines.flush(false);
        });
    return true;
}

void LogStreams::drain() {
    std::vector<int> all;
    for (const auto& [fd, stream] : streams_) all.push_back(fd);
    for (const int fd : all) read_some(fd, kPerDrain);
}

}  // namespace jaild::shim
