#include "cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

#include "cli/context.h"

namespace jaild::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // xterm's second screen; cursor off
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kRestOfLine = "\x1b[K";
constexpr std::string_view kRestOfScreen = "\x1b[J";

volatile std::sig_atomic_t ending_by = 0;

void remember(int signal) {
    ending_by = signal;
}

void look_again(int /*signal*/) {}  // poll(2) ends early

void on(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);  // no SA_RESTART
}

winsize size_of_window() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        size.ws_row = 24;
        size.ws_col = 80;
    }
    return size;
}

/// Its first `columns` characters, counted by code points.
std::string_view cut(std::string_view line, std::size_t columns) {
    std::size_t at = 0;
    for (; at < line.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(line[at]) & 0xC0) != 0x80;
        if (begins && columns-- == 0) break;
    }
    return line.substr(0, at);
}

}  // namespace

bool Screen::possible() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

Screen::Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) on(signal, remember);
    on(SIGWINCH, look_again);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the screen as it is
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    write_out(kEnter);
}

Screen::~Screen() {
    write_out(kLeave);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) on(signal, SIG_DFL);
}

void Screen::draw(const std::string& text) const {
    const auto size = size_of_window();
    std::string shown(kHome);
    std::string_view rest = text;
    for (unsigned row = 0; row < size.ws_row && !rest.empty(); ++row) {
        const auto end = std::min(rest.find('\n'), rest.size());
        if (row > 0) shown += "\r\n";
        shown += cut(rest.substr(0, end), size.ws_col);
        shown += kRestOfLine;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    shown += kRestOfScreen;
    write_out(shown);
}

std::optional<char> Screen::key(int milliseconds) const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (ending_by != 0 || ::poll(&input, 1, milliseconds) <= 0) return std::nullopt;
    char typed = 0;
    if (::read(STDIN_FILENO, &typed, 1) == 1) return typed;
    ending_by = SIGHUP;  // the terminal is gone
    return std::nullopt;
}

int Screen::ending() {
    return static_cast<int>(ending_by);
}

}  // namespace jaild::cli
