#pragma once

#include <termios.h>

#include <optional>
#include <string>

namespace jaild::cli {

/// The terminal for as long as this lives: its second screen, keys without waiting for a line, no cursor. What was on
/// it comes back with the destructor, also when SIGINT, SIGTERM or SIGHUP end the waiting.
class Screen {
public:
    /// Nothing when standard input and output are not both terminals.
    static bool possible();
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// From its upper left corner, cut to what fits.
    void draw(const std::string& text) const;
    /// Waits up to so long for a key; nothing when none came, or when the size of the window changed.
    [[nodiscard]] std::optional<char> key(int milliseconds) const;
    /// The signal that asks for the end; 0: none.
    [[nodiscard]] static int ending();

private:
    termios before_{};
};

}  // namespace jaild::cli
