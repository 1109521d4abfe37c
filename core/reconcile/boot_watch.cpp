#include "core/reconcile/boot_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace jaild::reconcile {
namespace {

constexpr std::size_t kNamed = 10;

std::string names_of(std::vector<std::string> names) {
    const auto all = names.size();
    if (all > kNamed) names.resize(kNamed);
    return fmt::format("{}{}", fmt::join(names, ", "), all > kNamed ? fmt::format(" and {} more", all - kNamed) : "");
}

}  // namespace

void BootWatch::begin(std::vector<JailId> jails, Clock::Monotonic now) {
    jails_ = std::move(jails);
    begun_ = now;
}

std::optional<BootWatch::Line> BootWatch::look(const std::vector<Seen>& jails, Clock::Monotonic now) {
    if (!watching()) return std::nullopt;
    const auto seconds = std::chrono::duration<double>(now - begun_).count();
    const auto up = std::ranges::count_if(jails, &Seen::runs);
    if (up == std::ssize(jails)) {
        jails_.clear();
        return Line{.text = fmt::format("boot: all {} jails run, after {:.1f} s", up, seconds)};
    }
    std::vector<std::string> waiting;
    std::vector<std::string> failing;
    for (const auto& jail : jails) {
        if (jail.runs) continue;
        if (jail.waits) waiting.push_back(jail.name);
        if (!jail.waits && !jail.problem.empty()) failing.push_back(jail.name);
    }
    auto text = fmt::format("boot: {} of {} jails run", up, jails.size());
    if (now - begun_ >= kPatience) {
        for (const auto& jail : jails)
            if (!jail.runs)
                text += fmt::format("; {}: {}", jail.name, jail.problem.empty() ? "is starting" : jail.problem);
        jails_.clear();
        return Line{.warning = true, .text = text + fmt::format(", after {:.0f} s; they are tried again", seconds)};
    }
    if (!failing.empty()) text += "; not started yet: " + names_of(std::move(failing));
    if (!waiting.empty()) text += "; waiting for others: " + names_of(std::move(waiting));
    if (text == said_) return std::nullopt;
    said_ = text;
    return Line{.text = std::move(text)};
}

}  // namespace jaild::reconcile
