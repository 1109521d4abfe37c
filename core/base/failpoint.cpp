#include "core/base/failpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <string>

namespace jaild::failpoint {
namespace {

struct Set {
    When when = When::before;
    std::string name;
    std::atomic<unsigned> left = 0;
};

Set& set() {
    static Set one;
    return one;
}

Error unknown(std::string_view text, const std::vector<std::string_view>& known) {
    return {.code = Errc::invalid,
            .op = "failpoint",
            .sys = 0,
            .detail = fmt::format("\"{}\" is no failpoint", text),
            .reason = "unknown_failpoint",
            .field = {},
            .remedy = fmt::format("before:NAME or after:NAME, with :N for the Nth time; NAME is one of {}",
                                  fmt::join(known, ", "))};
}

/// Text up to the next colon, which is taken off with it.
std::string_view take(std::string_view& text) {
    const auto end = std::min(text.find(':'), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

}  // namespace

namespace detail {

bool armed = false;

void pass(When when, std::string_view name) {
    auto& one = set();
    if (when != one.when || name != one.name || one.left.fetch_sub(1) != 1) return;
    spdlog::warn("failpoint {}:{}: SIGKILL", when == When::before ? "before" : "after", name);
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();  // whatever else runs may have a moment left; this thread has none
}

}  // namespace detail

Result<void> arm(std::string_view text, const std::vector<std::string_view>& known) {
    auto rest = text;
    const auto when = take(rest);
    const auto name = take(rest);
    unsigned times = 1;
    const auto* const end = rest.data() + rest.size();
    const auto number = std::from_chars(rest.data(), end, times);
    const bool counted = rest.empty() ? !text.ends_with(':') : number.ec == std::errc{} && number.ptr == end;
    if ((when != "before" && when != "after") || std::ranges::find(known, name) == known.end() || !counted ||
        times == 0)
        return std::unexpected(unknown(text, known));
    auto& one = set();
    one.when = when == "before" ? When::before : When::after;
    one.name = name;
    one.left = times;
    detail::armed = true;
    return {};
}

}  // namespace jaild::failpoint
