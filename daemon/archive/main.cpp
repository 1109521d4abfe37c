// jaild-archive: unpacks archives for jaild, in a process that has given up all that it does not need.
//
//   jaild-archive unpack BYTES ENTRIES      the archive on descriptor 0 into the directory on descriptor 3
//
// BYTES and ENTRIES are the most that may come of it. On standard output are the lines of
// core/templates/archive/report.h; the exit code is 0 when the last one is "done".
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <string_view>

#include "daemon/archive/confine.h"
#include "daemon/archive/unpack.h"

namespace jaild::archive {
namespace {

constexpr int kDirectory = 3;

bool read_limit(std::string_view text, std::uint64_t& target) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), target);
    return failed == std::errc{} && end == text.data() + text.size();
}

/// jaild that is gone: nobody wants the rest.
void say(const std::string& line) {
    if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0) ::_exit(1);
}

int run(int argc, char** argv) {
    Limits limits;
    if (argc != 4 || std::string_view(argv[1]) != "unpack" || !read_limit(argv[2], limits.bytes) ||
        !read_limit(argv[3], limits.entries)) {
        std::fputs("usage: jaild-archive unpack BYTES ENTRIES, by jaild\n", stderr);
        return 2;
    }
    auto confined = confine(kDirectory);
    if (!confined) {
        confined.error().reason = "unpack_failed";
        say(to_line(confined.error()));
        return 1;
    }
    say(to_line(Count{}));  // to a jaild that ended before this process was tied to it: SIGPIPE
    const auto done = unpack(STDIN_FILENO, limits, [](const Report& report) {
        std::visit([](const auto& one) { say(to_line(one)); }, report);
    });
    say(done ? to_line(*done) : to_line(done.error()));
    return done ? 0 : 1;
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
