#include "core/templates/archive_program.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "core/base/spawn.h"
#include "core/templates/child.h"
#include "core/templates/job.h"

namespace jaild::templates {
namespace {

constexpr int kLookMilliseconds = 100;

/// The lines that come through a pipe.
class Lines {
public:
    explicit Lines(int descriptor) : descriptor_(descriptor) {}

    /// False at the end. Errc::busy "nothing_yet" when there is none within a moment.
    Result<bool> read_more() {
        pollfd watched{.fd = descriptor_, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&watched, 1, kLookMilliseconds);
        if (ready < 0 && errno != EINTR) return std::unexpected(Error::from_errno("poll", errno));
        if (ready <= 0) return true;
        std::array<char, 16'384> buffer{};
        const auto got = ::read(descriptor_, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) return true;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        text_.append(buffer.data(), static_cast<std::size_t>(got));
        return got > 0;
    }
    std::optional<std::string> next() {
        const auto end = text_.find('\n');
        if (end == std::string::npos) return std::nullopt;
        auto line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
    }
    /// It writes no such lines: something else does.
    [[nodiscard]] bool too_long() const { return text_.size() > 2 * archive::kLineBytes; }

private:
    int descriptor_;
    std::string text_;
};

Error failed(std::string detail) {
    return Error{.code = Errc::kernel, .op = "jaild-archive", .detail = std::move(detail), .reason = "helper_failed"};
}

/// All that it says, to its end. The last word: what came of it.
Result<std::optional<archive::Report>> listen(Lines& lines, const ArchiveProgram::Watch& watch,
                                              const std::function<bool()>& interrupted) {
    std::optional<archive::Report> last;
    for (bool more = true; more;) {
        if (interrupted()) return std::unexpected(interrupted_error());
        const auto read = lines.read_more();
        if (!read) return std::unexpected(read.error());
        more = *read;
        while (const auto line = lines.next()) {
            auto report = archive::parse_line(*line);
            if (!report) return std::unexpected(failed("it says what nobody understands"));
            const bool end = std::holds_alternative<archive::Done>(*report) || std::holds_alternative<Error>(*report);
            if (end)
                last = *std::move(report);
            else
                watch(*report);
        }
        if (lines.too_long()) return std::unexpected(failed("it says what nobody understands"));
    }
    return last;
}

}  // namespace

Result<archive::Done> ArchiveProgram::unpack(int source, int directory, const archive::Limits& limits,
                                             const Watch& watch, const std::function<bool()>& interrupted) const {
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    const auto started =
        spawn({program_.string(), "unpack", std::to_string(limits.bytes), std::to_string(limits.entries)},
              {.standard_input = source,
               .standard_output = pipe->write.get(),
               .standard_error = STDERR_FILENO,
               .pass = directory});
    if (!started) return std::unexpected(started.error());
    Child child(started->pid);
    pipe->write.reset();
    Lines lines(pipe->read.get());
    const auto last = listen(lines, watch, interrupted);
    if (!last) return std::unexpected(last.error());
    const int status = child.wait();
    if (*last && std::holds_alternative<Error>(**last)) return std::unexpected(std::get<Error>(**last));
    if (!*last || status != 0) return std::unexpected(failed(end_of(status)));
    return std::get<archive::Done>(**last);
}

}  // namespace jaild::templates
