#include "core/reconcile/engine.h"

#include <algorithm>

#include "core/reconcile/effective.h"
#include "core/reconcile/last_words.h"

namespace jaild::reconcile {
namespace {

/// exec.stop, the command's SIGTERM and all the rest get a third each of what a halt has left, but for this much; with
/// hooks of the host's all of them get less.
constexpr int kStopParts = 3;
constexpr Milliseconds kLeastTimeout{1'000};

/// The last lines of the log of a jail that is given up; read once for each end.
std::string last_words_of(Engine& engine, const model::Jail& row, const Observed& observed) {
    const auto ended = ended_command(effective(row, observed).jail, observed);
    if (!ended || ended->answer != Answer::give_up) return {};
    const auto known = engine.board.get(row.id).ended;
    if (known && known->at == ended->exit.at && !known->last_words.empty()) return known->last_words;
    auto log = engine.kernel.processes().open_log(row.id);
    auto words = log ? last_lines(log->get()) : std::string();
    engine.board.update(row.id, [&](Memory& memory) {
        memory.ended = {.at = ended->exit.at, .seen = engine.clock.monotonic(), .last_words = words};
    });
    return words;
}

}  // namespace

model::Jail Engine::held(model::Jail row) const {
    const auto deadline = halt_deadline_.load();
    if (deadline == Clock::Monotonic::max()) return row;
    const auto left = std::chrono::ceil<Milliseconds>(deadline - clock.monotonic());
    row.spec.running = false;
    if (!row.unpacking()) row.root_change.reset();  // the next daemon's
    const auto& hooks = row.spec.exec.hooks;
    const auto parts = kStopParts + static_cast<int>(hooks.count(model::Hook::prestop)) +
                       static_cast<int>(hooks.count(model::Hook::poststop));
    row.spec.exec.timeout = std::min(row.spec.exec.timeout, std::max(left / parts, kLeastTimeout));
    return row;
}

void Engine::halt(Milliseconds patience) {
    const auto now = clock.monotonic();
    in_order_until_ = now + 2 * patience / kStopParts;
    halt_deadline_ = now + patience;
}

std::vector<Awaited> Engine::waits_for(const model::Jail& row, const Observed& observed) const {
    if (row.spec.depends_on.empty() || !wanted(row) || alive(observed)) return {};
    return board.not_up(row.spec.depends_on);
}

void Engine::add_known(const model::Jail& row, Observed& observed) const {
    vitals.add(row, observed);
    observed.lives =
        row.spec.depends_on.empty() ? std::map<std::string, std::int64_t>{} : board.lives_of(row.spec.depends_on);
}

std::vector<std::string> Engine::needed_by(const model::Jail& row) const {
    if (!halting() || clock.monotonic() >= in_order_until_.load()) return {};
    return board.alive_dependents(row.name);
}

std::optional<Milliseconds> Engine::restart_in(const model::Jail& row, const Observed& observed) {
    const auto held = effective(row, observed).jail;
    const auto ended = ended_command(held, observed);
    if (!ended || ended->answer != Answer::restart) return std::nullopt;
    const auto wait = wait_before(held.spec.restart, ended->before, ended->exit, row.id);
    const auto now = clock.monotonic();
    const Milliseconds age{clock.utc().milliseconds - ended->exit.at.milliseconds};
    auto seen = now - std::clamp(age, Milliseconds{0}, wait);
    board.update(row.id, [&](Memory& memory) {
        if (!memory.ended || memory.ended->at != ended->exit.at) memory.ended = {.at = ended->exit.at, .seen = seen};
        seen = memory.ended->seen;
    });
    return std::max(Milliseconds{0}, std::chrono::ceil<Milliseconds>(seen + wait - now));
}

void Engine::judge_use(const model::Jail& row, const Observed& observed) {
    // What a halt stops, the next daemon starts again.
    if (!row.spec.ephemeral || halting()) return;
    const auto held = effective(row, observed).jail;
    const bool runs = shim_alive(observed) && observed.shim->command == kernel::CommandState::running;
    const auto standing = [&] {
        if (row.unpacking() || row.root_change || !waits_for(row, observed).empty()) return Standing::unknown;
        if (!wanted(row)) return Standing::done;
        if (row.pool) return alive(observed) ? Standing::used : Standing::unknown;  // its keeper looks after it
        if (runs) return Standing::used;
        if (!alive(observed) || !observed.applied.complete) return Standing::coming;
        if (restart_in(row, observed)) return Standing::used;
        // What is left of a system jail may be what clients' programs run in.
        return held.spec.command.empty() ? Standing::idle : Standing::done;
    }();
    lifetimes->learn(row, standing);
}

Result<std::vector<model::Network>> read_networks(store::Store& store) {
    return store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
}

Findings findings_of(Engine& engine, const model::Jail& row, const Observed& observed, const Desired* desired,
                     Phase phase) {
    Findings findings{
        .row = row, .observed = observed, .phase = phase, .halting = engine.halting(), .now = engine.clock.utc()};
    findings.waits_for = engine.waits_for(row, observed);
    findings.health = engine.vitals.status(row.id, observed);
    findings.last_words = last_words_of(engine, row, observed);
    if (!desired) return findings;
    for (const auto& network : desired->networks) {
        if (!findings.nat_missing) findings.nat_missing = engine.networks.nat_missing(network.id);
        findings.forwarding_missing = findings.forwarding_missing || engine.networks.forwarding_missing(network.id);
    }
    if (!row.spec.publish.empty()) findings.publish_missing = engine.policies.missing(row.id);
    return findings;
}

}  // namespace jaild::reconcile
