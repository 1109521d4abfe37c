#pragma once

#include <termios.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace jaild::cli {

/// Of our own terminal, {"rows", "columns"}; empty where we have none.
nlohmann::json terminal_size();
/// Adds to an exec's order what a program is told of its terminal: what ours is, for that is where its output goes.
void add_terminal(nlohmann::json& order);

/// While it lives, what is typed at our terminal goes to the program as it is: it has a terminal of its own, which
/// makes lines and signals of it. Without a terminal: nothing.
class RawTerminal {
public:
    RawTerminal();
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

private:
    std::optional<termios> before_;
};

}  // namespace jaild::cli
