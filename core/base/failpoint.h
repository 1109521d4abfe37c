#pragma once

#include <string_view>
#include <vector>

#include "core/base/error.h"

/// Named moments at which a test ends this program as a cut of power would: SIGKILL, sent to itself. One is set when
/// the program starts, by its environment; nothing that comes later, and no client, can set one. Without one a moment
/// costs next to nothing: a bool is looked at.
namespace jaild::failpoint {

enum class When { before, after };

/// `text` is "before:mount", or "after:mount:3" for the third time that it is passed; `known` are the names. Call it
/// once, before there are threads. Errc::invalid "unknown_failpoint" lists what there is.
Result<void> arm(std::string_view text, const std::vector<std::string_view>& known);

namespace detail {
extern bool armed;  ///< written before there are threads
void pass(When when, std::string_view name);
}  // namespace detail

/// Does not return from the one that was set. Any thread.
inline void pass(When when, std::string_view name) {
    if (detail::armed) [[unlikely]]
        detail::pass(when, name);
}

}  // namespace jaild::failpoint
