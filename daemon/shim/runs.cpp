#include "daemon/shim/runs.h"

#include <algorithm>

namespace jaild::shim {

bool Runs::active() const {
    const auto runs = [](const One& one) { return one.program != 0 || one.next; };
    return std::ranges::any_of(runs_, runs) || std::ranges::any_of(hooks_, runs);
}

void Runs::run(Run request, const Reply& reply) {
    const bool marks_start = request.marks_start;
    auto& one = runs_[marks_start ? 1 : 0];
    one.waiting.push_back(reply);
    if (one.program != 0) return;
    if (marks_start)
        one.succeeded = [this] {
            record_.state.start_done = true;
            remember();
        };
    begin(one, std::move(request.launch), request.timeout_ms);
}

void Runs::run(RunHook request, const Reply& reply) {
    auto& one = hooks_.at(request.hook);
    // It ended between a daemon's look at this and its question.
    if (request.success == Remembered::yes && (record_.state.hooks_done & (1U << request.hook)) != 0)
        return reply.finish(MessageType::ended, Ended{}.encode());
    one.waiting.push_back(reply);
    if (one.program != 0 || one.next) return;
    one.next = std::move(request);
    begin_hooks();
}

/// The next one, unless another still runs: that one's time is over.
void Runs::begin_hooks() {
    const auto next = std::ranges::find_if(hooks_, [](const One& one) { return one.next.has_value(); });
    if (next == hooks_.end()) return;
    const auto running = std::ranges::find_if(hooks_, [](const One& one) { return one.program != 0; });
    if (running != hooks_.end()) return programs_.kill(running->program);
    auto request = *std::exchange(next->next, std::nullopt);
    next->succeeded = {};
    if (request.success == Remembered::yes)
        next->succeeded = [this, hook = request.hook] {
            record_.state.hooks_done |= 1U << hook;
            remember();
        };
    begin(*next,
          {.mode = LaunchMode::host, .argv = std::move(request.argv), .environment = std::move(request.environment)},
          request.timeout_ms);
}

void Runs::begin(One& one, Launch launch, std::int64_t timeout_ms) {
    auto stdio = streams_.open();
    if (!stdio)
        return answer(
            one, MessageType::refused,
            Refused{.stage = Stage::execute, .code = stdio.error().sys, .text = stdio.error().to_string()}.encode());
    one.timed_out = false;
    one.timer = loop_.after(std::chrono::milliseconds{std::max<std::int64_t>(timeout_ms, 0)}, [this, &one] {
        one.timed_out = true;
        programs_.kill(one.program);
    });
    one.program = programs_.launch(
        std::move(launch), *std::move(stdio),
        {.started = [](pid_t) {},
         .refused = [this, &one](const Refused& refused) { answer(one, MessageType::refused, refused.encode()); },
         .ended = [this, &one](const ChildExit& exit) { ended(one, exit); }});
}

/// Not recorded only means that it runs again after a crash.
void Runs::remember() {
    [[maybe_unused]] const auto saved = record_.save();
}

void Runs::ended(One& one, const ChildExit& exit) {
    streams_.drain();
    if (one.succeeded && exit.exit_code == 0 && !one.timed_out) one.succeeded();
    answer(one, MessageType::ended,
           Ended{.exit_code = exit.exit_code, .signal = exit.signal, .timed_out = one.timed_out}.encode());
}

void Runs::answer(One& one, MessageType type, const std::string& body) {
    one.program = 0;
    loop_.cancel(std::exchange(one.timer, 0));
    for (const auto& reply : std::exchange(one.waiting, {})) reply.finish(type, body);
    begin_hooks();
}

}  // namespace jaild::shim
