#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr unsigned kMaxTerminal = 1000;  // rows, columns; the API's own limit

}  // namespace

json terminal_size() {
    json size = json::object();
    winsize window{};
    for (const int fd : {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO}) {
        if (::ioctl(fd, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) continue;
        size["rows"] = std::min<unsigned>(window.ws_row, kMaxTerminal);
        size["columns"] = std::min<unsigned>(window.ws_col, kMaxTerminal);
        break;
    }
    return size;
}

void add_terminal(json& body) {
    body["terminal"] = terminal_size();
    const char* const type = std::getenv("TERM");
    const bool ours = !body["terminal"].empty() && type != nullptr && *type != '\0';
    if (ours && !body["env"].contains("TERM")) body["env"]["TERM"] = type;
}

RawTerminal::RawTerminal() {
    termios now{};
    if (::tcgetattr(STDIN_FILENO, &now) != 0) return;
    before_ = now;
    ::cfmakeraw(&now);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
}

RawTerminal::~RawTerminal() {
    if (before_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*before_);
}

}  // namespace jaild::cli
