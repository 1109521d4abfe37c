#include "core/templates/archive_program.h"

#include <poll.h>
#include <sys/socket.h>
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

/// What it says before its last word; an Error ends it.
using Heard = std::function<Result<void>(const archive::Report&)>;

/// All that it says, to its end. The last word: what came of it.
Result<std::optional<archive::Report>> listen(Lines& lines, const Heard& heard,
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
            else if (auto good = heard(*report); !good)
                return std::unexpected(good.error());
        }
        if (lines.too_long()) return std::unexpected(failed("it says what nobody understands"));
    }
    return last;
}

/// What came of the program that says it on `descriptor`.
Result<archive::Done> outcome(Child& child, int descriptor, const Heard& heard,
                              const std::function<bool()>& interrupted) {
    Lines lines(descriptor);
    const auto last = listen(lines, heard, interrupted);
    if (!last) return std::unexpected(last.error());
    const int status = child.wait();
    if (*last && std::holds_alternative<Error>(**last)) return std::unexpected(std::get<Error>(**last));
    if (!*last || status != 0) return std::unexpected(failed(end_of(status)));
    return std::get<archive::Done>(**last);
}

Heard watching(const ArchiveProgram::Watch& watch) {
    return [&watch](const archive::Report& report) -> Result<void> {
        watch(report);
        return {};
    };
}

struct Sockets {
    UniqueFd ours;
    UniqueFd its;

    static Result<Sockets> create() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            return std::unexpected(Error::from_errno("socketpair", errno));
        return Sockets{.ours = UniqueFd(ends[0]), .its = UniqueFd(ends[1])};
    }
    /// A program that is gone is found out when it is waited for: no SIGPIPE, no Error.
    void send(std::string_view text) const {
        while (!text.empty()) {
            const auto put = ::send(ours.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return;
            text.remove_prefix(static_cast<std::size_t>(put));
        }
    }
};

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
    return outcome(child, pipe->read.get(), watching(watch), interrupted);
}

Result<archive::Done> ArchiveProgram::unpack_jail(int source, int directory, const archive::Limits& limits,
                                                  const Accept& accept, const Watch& watch,
                                                  const std::function<bool()>& interrupted) const {
    auto sockets = Sockets::create();
    if (!sockets) return std::unexpected(sockets.error());
    const auto started =
        spawn({program_.string(), "unpack-jail", std::to_string(limits.bytes), std::to_string(limits.entries)},
              {.standard_input = source,
               .standard_output = sockets->its.get(),
               .standard_error = STDERR_FILENO,
               .pass = directory});
    if (!started) return std::unexpected(started.error());
    Child child(started->pid);
    sockets->its.reset();
    const auto heard = [&](const archive::Report& report) -> Result<void> {
        const auto* metadata = std::get_if<archive::Metadata>(&report);
        if (metadata == nullptr) {
            watch(report);
            return {};
        }
        if (auto accepted = accept(metadata->text); !accepted) return accepted;
        sockets->send({&archive::kGoOn, 1});
        return {};
    };
    return outcome(child, sockets->ours.get(), heard, interrupted);
}

Result<archive::Done> ArchiveProgram::pack(int directory, const std::string& metadata, int target, const Watch& watch,
                                           const std::function<bool()>& interrupted) const {
    auto sockets = Sockets::create();
    if (!sockets) return std::unexpected(sockets.error());
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    const auto started = spawn({program_.string(), "pack"}, {.standard_input = sockets->its.get(),
                                                             .standard_output = target,
                                                             .standard_error = pipe->write.get(),
                                                             .pass = directory});
    if (!started) return std::unexpected(started.error());
    Child child(started->pid);
    sockets->its.reset();
    pipe->write.reset();
    sockets->send(metadata);
    sockets->ours.reset();
    return outcome(child, pipe->read.get(), watching(watch), interrupted);
}

}  // namespace jaild::templates
