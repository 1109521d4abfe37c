// jaild-archive: makes and unpacks archives for jaild, in a process that has given up all that it does not need.
//
//   jaild-archive unpack BYTES ENTRIES        the archive on descriptor 0 into the directory on descriptor 3
//   jaild-archive unpack-jail BYTES ENTRIES   what pack wrote, into the directory "root" in the one on descriptor 3;
//   the
//                                             metadata is on standard output first, a socket, and "root" need not be
//                                             there before kGoOn is read from it
//   jaild-archive pack                        the directory on descriptor 3, with the metadata on descriptor 0, to
//                                             standard output
//
// BYTES and ENTRIES are the most that may come of it. On standard output, of pack on standard error, are the lines of
// core/templates/archive/report.h; the exit code is 0 when the last one is "done".
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "daemon/archive/confine.h"
#include "daemon/archive/pack.h"
#include "daemon/archive/unpack.h"

namespace jaild::archive {
namespace {

constexpr int kDirectory = 3;

bool read_limit(std::string_view text, std::uint64_t& target) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), target);
    return failed == std::errc{} && end == text.data() + text.size();
}

/// jaild that is gone: nobody wants the rest.
void say(std::FILE* to, const std::string& line) {
    if (std::fputs(line.c_str(), to) < 0 || std::fflush(to) != 0) ::_exit(1);
}

/// Tells how it went, and makes the exit code of it.
int end(std::FILE* to, const Result<Done>& done) {
    say(to, done ? to_line(*done) : to_line(done.error()));
    return done ? 0 : 1;
}

Tell telling(std::FILE* to) {
    return [to](const Report& report) { std::visit([to](const auto& one) { say(to, to_line(one)); }, report); };
}

/// True when it is confined; else this was said.
bool confined(std::FILE* to, std::string_view reason) {
    auto done = confine(kDirectory);
    if (!done) {
        done.error().reason = reason;
        say(to, to_line(done.error()));
        return false;
    }
    say(to, to_line(Count{}));  // to a jaild that ended before this process was tied to it: SIGPIPE
    return true;
}

/// jaild reads the metadata, and answers; if it does not like them it goes.
Result<void> ask(const Metadata& metadata) {
    say(stdout, to_line(metadata));
    char answer = 0;
    ssize_t got = -1;
    do {
        got = ::read(STDOUT_FILENO, &answer, 1);
    } while (got < 0 && errno == EINTR);
    // Whoever answers makes it, in the file system that it is to be in.
    if (got == 1 && answer == kGoOn)
        return ::chdir("root") == 0 ? Result<void>{} : std::unexpected(Error::from_errno("chdir", errno, "root"));
    return std::unexpected(
        Error{.code = Errc::kernel, .op = "unpack", .detail = "nobody wants it", .reason = "reader_gone"});
}

int run_unpack(std::string_view what, const Limits& limits) {
    if (!confined(stdout, "unpack_failed")) return 1;
    const auto tell = telling(stdout);
    auto done = what == "unpack" ? unpack(STDIN_FILENO, limits, tell) : unpack_jail(STDIN_FILENO, limits, ask, tell);
    if (!done && done.error().reason.empty()) done.error().reason = "unpack_failed";
    return end(stdout, done);
}

/// All of standard input, at most kMetadataBytes.
Result<std::string> read_metadata() {
    std::string text(kMetadataBytes + 1, '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const auto got = ::read(STDIN_FILENO, text.data() + done, text.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    if (done > kMetadataBytes)
        return std::unexpected(
            Error{.code = Errc::invalid, .op = "pack", .detail = "too much metadata", .reason = "pack_failed"});
    text.resize(done);
    return text;
}

int run_pack() {
    if (!confined(stderr, "pack_failed")) return 1;
    // A reader that goes is an error as any other.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return 1;
    const auto metadata = read_metadata();
    if (!metadata) return end(stderr, std::unexpected(metadata.error()));
    auto done = pack(*metadata, STDOUT_FILENO, telling(stderr));
    if (!done && done.error().reason.empty()) done.error().reason = "pack_failed";
    return end(stderr, done);
}

int run(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    Limits limits;
    if (what == "pack" && argc == 2) return run_pack();
    const bool unpacks = what == "unpack" || what == "unpack-jail";
    if (unpacks && argc == 4 && read_limit(argv[2], limits.bytes) && read_limit(argv[3], limits.entries))
        return run_unpack(what, limits);
    std::fputs("usage: jaild-archive unpack|unpack-jail BYTES ENTRIES, or pack, by jaild\n", stderr);
    return 2;
}

}  // namespace
}  // namespace jaild::archive

#ifdef __SANITIZE_ADDRESS__
// It looks for leaks by ptrace(2) and /proc, which are out of reach here. C linkage and the name are the sanitizer's.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
    return "detect_leaks=0";
}
#endif

int main(int argc, char** argv) {
    try {
        return jaild::archive::run(argc, argv);
    } catch (const std::exception& caught) {
        std::fprintf(stderr, "jaild-archive: %s\n", caught.what());
        return 1;
    }
}
