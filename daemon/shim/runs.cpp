#include "daemon/shim/runs.h"

#include <algorithm>

namespace jaild::shim {

void Runs::run(Run request, const Reply& reply) {
    const bool marks_start = request.marks_start;
    auto& one = runs_[marks_start ? 1 : 0];
    one.waiting.push_back(reply);
    if (one.program != 0) return;
    auto stdio = streams_.open();
    if (!stdio)
        return answer(
            one, MessageType::refused,
            Refused{.stage = Stage::execute, .code = stdio.error().sys, .text = stdio.error().to_string()}.encode());
    one.timed_out = false;
    one.timer = loop_.after(std::chrono::milliseconds{std::max<std::int64_t>(request.timeout_ms, 0)}, [this, &one] {
        one.timed_out = true;
        programs_.kill(one.program);
    });
    one.program = programs_.launch(
        std::move(request.launch), *std::move(stdio),
        {.started = [](pid_t) {},
         .refused = [this, &one](const Refused& refused) { answer(one, MessageType::refused, refused.encode()); },
         .ended = [this, marks_start](const ChildExit& exit) { ended(marks_start, exit); }});
}

void Runs::ended(bool marks_start, const ChildExit& exit) {
    auto& one = runs_[marks_start ? 1 : 0];
    streams_.drain();
    if (marks_start && exit.exit_code == 0 && !one.timed_out) {
        record_.state.start_done = true;
        // Not recorded only means that it runs again after a crash.
        [[maybe_unused]] const auto saved = record_.save();
    }
    answer(one, MessageType::ended,
           Ended{.exit_code = exit.exit_code, .signal = exit.signal, .timed_out = one.timed_out}.encode());
}

void Runs::answer(One& one, MessageType type, const std::string& body) {
    one.program = 0;
    loop_.cancel(std::exchange(one.timer, 0));
    for (const auto& reply : std::exchange(one.waiting, {})) reply.finish(type, body);
}

}  // namespace jaild::shim
