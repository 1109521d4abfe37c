#include "core/templates/download.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/spawn.h"
#include "core/base/unique_fd.h"
#include "core/templates/archive/entry_rules.h"
#include "core/templates/child.h"
#include "core/templates/job.h"

namespace jaild::templates {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kAskMilliseconds = 100;
constexpr std::size_t kPiece = std::size_t{1} << 16;
constexpr std::size_t kSaidBytes = 16'384;  ///< of what the program says, the newest

/// curl(1): nothing of root's own configuration, no scheme but these two, no guessing with "[]" and "{}". What the
/// server says of the length comes on standard error. fetch(1) follows 20 redirections at most, of its own accord.
Argv command_for(const std::string& url) {
#ifdef __linux__
    const char* schemes = url.starts_with("https:") ? "=https" : "=http,https";
    return {"curl",
            "--disable",
            "--silent",
            "--show-error",
            "--fail",
            "--globoff",
            "--location",
            "--max-redirs",
            "5",
            "--proto",
            "=http,https",
            "--proto-redir",
            schemes,
            "--no-netrc",
            "--connect-timeout",
            "30",
            "--no-buffer",
            "--dump-header",
            "/dev/stderr",
            "--speed-time",
            "120",
            "--speed-limit",
            "1",
            "--output",
            "-",
            "--url",
            url};
#else
    return {"fetch", "-q", "-T", "60", "-N", "/dev/null", "-o", "-", url};
#endif
}

/// Of jaild's environment, those that say how the net is reached.
std::vector<std::string> environment() {
    std::vector<std::string> all{"PATH=" + std::string(kSystemPath), "LC_ALL=C"};
    for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                             "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CA_CERT_FILE"})
        if (const char* value = std::getenv(name)) all.push_back(std::string(name) + "=" + value);
    return all;
}

/// What the program says beside: headers and, at the end, what went wrong.
class Said {
public:
    void add(std::string_view text) {
        text_ += text;
        if (text_.size() > kSaidBytes) text_.erase(0, text_.size() - kSaidBytes);
    }
    /// Of the last answer, not of a redirection before it; 0: unknown.
    [[nodiscard]] std::uint64_t length() const {
        std::uint64_t bytes = 0;
        for_each_line([&](std::string_view line) {
            constexpr std::string_view kName = "content-length:";
            if (line.starts_with("HTTP/")) bytes = 0;
            if (to_lower(line.substr(0, kName.size())) != kName) return;
            line.remove_prefix(kName.size());
            line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
            if (std::from_chars(line.data(), line.data() + line.size(), bytes).ec != std::errc{}) bytes = 0;
        });
        return bytes;
    }
    /// "curl: (22) The requested URL returned error: 404"
    [[nodiscard]] std::string last_words() const {
        std::string words;
        for_each_line([&](std::string_view line) {
            if (line.starts_with("curl: ") || line.starts_with("fetch: ")) words = line;
        });
        return archive::printable(words);
    }

private:
    void for_each_line(const std::function<void(std::string_view)>& look) const {
        std::string_view rest = text_;
        while (!rest.empty()) {
            const auto end = std::min(rest.find('\n'), rest.size());
            auto line = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            if (line.ends_with('\r')) line.remove_suffix(1);
            look(line);
        }
    }
    std::string text_;
};

Result<void> write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto put = ::write(file, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(Error::from_errno("write", errno, "what is downloaded"));
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

class Transfer {
public:
    Transfer(std::string place, int file, const DownloadLimits& limits, const DownloadWatch& watch)
        : place_(std::move(place)), file_(file), limits_(limits), watch_(watch) {}

    /// All that comes through the two pipes, to the end of both.
    Result<void> run(Pipe& body, Pipe& said, const std::function<bool()>& interrupted);
    [[nodiscard]] std::uint64_t done() const { return done_; }
    [[nodiscard]] Error failed(int status) const;

private:
    Result<bool> take(UniqueFd& from, const std::function<Result<void>(std::string_view)>& use);
    Result<void> keep(std::string_view bytes);
    Result<void> check_time();
    [[nodiscard]] Error refused(std::string_view reason, std::string detail, std::string remedy) const;

    std::string place_;
    int file_;
    const DownloadLimits& limits_;
    const DownloadWatch& watch_;
    Said said_{};
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    std::uint64_t at_window_ = 0;
    SteadyClock::time_point begun_ = SteadyClock::now();
    SteadyClock::time_point window_ = begun_;
};

Error Transfer::refused(std::string_view reason, std::string detail, std::string remedy) const {
    return Error{.code = Errc::invalid,
                 .op = "download",
                 .detail = place_ + ": " + std::move(detail),
                 .reason = reason,
                 .field = {},
                 .remedy = std::move(remedy)};
}

Error Transfer::failed(int status) const {
    const auto words = said_.last_words();
    return refused("download_failed", words.empty() ? end_of(status) : words,
                   "try the URL on the daemon's host, by curl(1) or fetch(1)");
}

Result<void> Transfer::keep(std::string_view bytes) {
    if (total_ == 0) total_ = said_.length();
    if (bytes.size() > limits_.bytes - done_ || total_ > limits_.bytes)
        return std::unexpected(refused("archive_too_large", fmt::format("more than {} bytes", limits_.bytes),
                                       "jaild.toml(5): template_max_bytes"));
    if (auto written = write_all(file_, bytes); !written) return written;
    done_ += bytes.size();
    watch_(done_, total_);
    return {};
}

Result<void> Transfer::check_time() {
    const auto now = SteadyClock::now();
    if (now - begun_ > limits_.longest)
        return std::unexpected(refused("download_stalled", "it took too long", "get it by other means, and import it"));
    if (now - window_ < limits_.stall) return {};
    if (done_ - at_window_ < limits_.stall_bytes)
        return std::unexpected(
            refused("download_stalled",
                    fmt::format("{} bytes came within {} s", done_ - at_window_,
                                std::chrono::duration_cast<std::chrono::seconds>(limits_.stall).count()),
                    "try again, or get it by other means, and import it"));
    window_ = now;
    at_window_ = done_;
    return {};
}

/// True when something was read, or its end.
Result<bool> Transfer::take(UniqueFd& from, const std::function<Result<void>(std::string_view)>& use) {
    std::array<char, kPiece> buffer{};
    const auto got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return false;
    if (got < 0) return std::unexpected(Error::from_errno("read", errno, place_));
    if (got == 0) from.reset();
    if (auto used = use({buffer.data(), static_cast<std::size_t>(got)}); !used) return std::unexpected(used.error());
    return true;
}

Result<void> Transfer::run(Pipe& body, Pipe& said, const std::function<bool()>& interrupted) {
    while (body.read || said.read) {
        if (interrupted()) return std::unexpected(interrupted_error());
        if (auto in_time = check_time(); !in_time) return in_time;
        // What is closed is -1, which poll(2) leaves out. What is said comes first: the length.
        std::array watched{pollfd{.fd = said.read.get(), .events = POLLIN, .revents = 0},
                           pollfd{.fd = body.read.get(), .events = POLLIN, .revents = 0}};
        const int ready = ::poll(watched.data(), watched.size(), kAskMilliseconds);
        if (ready < 0 && errno != EINTR) return std::unexpected(Error::from_errno("poll", errno));
        if (ready <= 0) continue;
        if (watched[0].revents != 0) {
            const auto taken = take(said.read, [this](std::string_view text) -> Result<void> {
                said_.add(text);
                return {};
            });
            if (!taken) return std::unexpected(taken.error());
        }
        if (watched[1].revents == 0) continue;
        const auto taken = take(body.read, [this](std::string_view bytes) { return keep(bytes); });
        if (!taken) return std::unexpected(taken.error());
    }
    return {};
}

}  // namespace

Result<std::uint64_t> download(const std::string& url, int file, const DownloadLimits& limits,
                               const DownloadWatch& watch, const std::function<bool()>& interrupted) {
    auto body = Pipe::create();
    if (!body) return std::unexpected(body.error());
    auto said = Pipe::create();
    if (!said) return std::unexpected(said.error());
    const auto argv = command_for(url);
    const auto started = spawn(
        argv,
        {.environment = environment(), .standard_output = body->write.get(), .standard_error = said->write.get()});
    if (!started && started.error().reason == "program_not_found")
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "download",
                                     .detail = argv.front() + "(1), which downloads, is not installed on this host",
                                     .reason = "downloads_unavailable",
                                     .field = {},
                                     .remedy = "install " + argv.front() + ", or get the archives by other means"});
    if (!started) return std::unexpected(started.error());
    Child child(started->pid);
    body->write.reset();
    said->write.reset();
    Transfer transfer(url.substr(0, url.find('?')), file, limits, watch);
    if (auto ran = transfer.run(*body, *said, interrupted); !ran) return std::unexpected(ran.error());
    if (const int status = child.wait(); status != 0) return std::unexpected(transfer.failed(status));
    return transfer.done();
}

}  // namespace jaild::templates
