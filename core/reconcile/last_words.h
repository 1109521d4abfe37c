#pragma once

#include <string>

namespace jaild::reconcile {

struct LastWords {
    static constexpr std::size_t kLines = 5;
    static constexpr std::size_t kLineBytes = 200;
};

/// The last lines of a jail's log, "one | two | three": at most kLines of at most kLineBytes each, valid UTF-8, control
/// characters as "?". Empty when it cannot be read. Blocking for one short read.
std::string last_lines(int log);

}  // namespace jaild::reconcile
