#include "core/reconcile/restarts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace jaild::reconcile {
namespace {

bool was_healthy(const model::RestartSpec& spec, const model::LastExit& exit) {
    return exit.ran >= spec.reset_after;
}

/// Without what is added by chance.
Milliseconds least_wait(const model::RestartSpec& spec, const Restarts& before, const model::LastExit& exit) {
    const auto row = was_healthy(spec, exit) ? 0U : before.row;
    if (row == 0) return Milliseconds{0};
    auto wait = spec.delay;
    for (auto n = 1U; n < row && wait < spec.max_delay; ++n) wait *= 2;
    return std::min(wait, spec.max_delay);
}

/// Those that are within the window still when the command ends in that way.
std::vector<Milliseconds> recent_ones(const model::RestartSpec& spec, const Restarts& before,
                                      const model::LastExit& exit) {
    auto recent = before.recent;
    for (auto& age : recent) age += before.waited + exit.ran;
    std::erase_if(recent, [&](Milliseconds age) { return age >= spec.window; });
    return recent;
}

/// 0 to 255, the same for the same: splitmix64's last step.
std::int64_t spread(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::int64_t>((value ^ (value >> 31)) & 0xff);
}

std::optional<model::LastExit> parse_exit(const nlohmann::json& value) {
    if (!value.is_object()) return std::nullopt;
    return model::LastExit{.exit_code = value.value("exit_code", 0),
                           .signal = value.value("signal", 0),
                           .reason = value.value("reason", ""),
                           .at = {value.value("at", std::int64_t{0})},
                           .ran = Milliseconds{value.value("ran", std::int64_t{0})}};
}

}  // namespace

Answer answer_to(const model::RestartSpec& spec, const Restarts& before, const model::LastExit& exit) {
    // What is unhealthy is made anew because its probe asks for that; how often and when, the policy's numbers say.
    if (exit.reason != model::kUnhealthy) {
        if (spec.policy == model::RestartPolicy::no) return Answer::leave;
        const bool good = exit.exit_code == 0 && exit.reason != "emptied";
        if (spec.policy == model::RestartPolicy::on_failure && good) return Answer::leave;
    }
    if (spec.max_retries != 0 && std::ssize(recent_ones(spec, before, exit)) >= spec.max_retries)
        return Answer::give_up;
    return Answer::restart;
}

Restarts counted(const model::RestartSpec& spec, Restarts before, const model::LastExit& exit) {
    before.recent = recent_ones(spec, before, exit);
    before.waited = least_wait(spec, before, exit);
    ++before.count;
    before.row = was_healthy(spec, exit) ? 1 : before.row + 1;
    if (spec.max_retries != 0) before.recent.emplace_back(0);
    const auto most = static_cast<std::ptrdiff_t>(spec.max_retries);
    if (std::ssize(before.recent) > most) before.recent.erase(before.recent.begin(), before.recent.end() - most);
    before.exits.push_back(exit);
    if (before.exits.size() > Restarts::kKeptExits) before.exits.erase(before.exits.begin());
    return before;
}

Milliseconds wait_before(const model::RestartSpec& spec, const Restarts& before, const model::LastExit& exit,
                         JailId id) {
    const auto wait = least_wait(spec, before, exit);
    if (wait.count() == 0) return wait;
    const auto seed = static_cast<std::uint64_t>(id.value) * 0x9e3779b97f4a7c15ULL + before.count;
    return wait + wait * spread(seed) / 1024;
}

std::string to_string(const model::LastExit& exit) {
    std::string text = exit.reason == model::kUnhealthy ? std::string(model::kUnhealthy)
                       : exit.signal != 0               ? fmt::format("signal {}", exit.signal)
                                                        : fmt::format("exit code {}", exit.exit_code);
    if (exit.reason == "failed_to_start") return "not executable";
    if (exit.reason == "lost") return "lost";
    if (exit.reason == "emptied") text = "no process left";
    if (exit.ran.count() > 0) text += fmt::format(" after {:.1f} s", static_cast<double>(exit.ran.count()) / 1000);
    return text;
}

nlohmann::json to_json(const Restarts& restarts) {
    auto recent = nlohmann::json::array();
    for (const auto age : restarts.recent) recent.push_back(age.count());
    auto exits = nlohmann::json::array();
    for (const auto& exit : restarts.exits)
        exits.push_back({{"exit_code", exit.exit_code},
                         {"signal", exit.signal},
                         {"reason", exit.reason},
                         {"at", exit.at.milliseconds},
                         {"ran", exit.ran.count()}});
    return {{"count", restarts.count},
            {"row", restarts.row},
            {"ages", std::move(recent)},
            {"waited", restarts.waited.count()},
            {"exits", std::move(exits)}};
}

Restarts parse_restarts(const nlohmann::json& value) {
    Restarts restarts;
    if (!value.is_object()) return restarts;
    try {
        restarts.count = value.value("count", std::uint64_t{0});
        restarts.row = value.value("row", 0U);
        for (const auto age : value.value("ages", std::vector<std::int64_t>{})) restarts.recent.emplace_back(age);
        restarts.waited = Milliseconds{value.value("waited", std::int64_t{0})};
        for (const auto& one : value.value("exits", nlohmann::json::array()))
            if (auto exit = parse_exit(one)) restarts.exits.push_back(*std::move(exit));
    } catch (const nlohmann::json::exception&) {
        return {};
    }
    return restarts;
}

}  // namespace jaild::reconcile
