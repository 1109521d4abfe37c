#include "core/reconcile/engine.h"

#include <algorithm>

namespace jaild::reconcile {
namespace {

/// exec.stop, the command's SIGTERM and all the rest get a third each of what a halt has left, but for this much.
constexpr int kStopParts = 3;
constexpr Milliseconds kLeastTimeout{1'000};

}  // namespace

model::Jail Engine::held(model::Jail row) const {
    const auto deadline = halt_deadline_.load();
    if (deadline == Clock::Monotonic::max()) return row;
    const auto left = std::chrono::ceil<Milliseconds>(deadline - clock.monotonic());
    row.spec.running = false;
    if (!row.unpacking()) row.root_change.reset();  // the next daemon's
    row.spec.exec.timeout = std::min(row.spec.exec.timeout, std::max(left / kStopParts, kLeastTimeout));
    return row;
}

Result<std::vector<model::Network>> read_networks(store::Store& store) {
    return store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
}

Findings findings_of(Engine& engine, const model::Jail& row, const Observed& observed, const Desired* desired,
                     Phase phase) {
    Findings findings{
        .row = row, .observed = observed, .phase = phase, .halting = engine.halting(), .now = engine.clock.utc()};
    if (!desired) return findings;
    for (const auto& network : desired->networks) {
        if (!findings.nat_missing) findings.nat_missing = engine.networks.nat_missing(network.id);
        findings.forwarding_missing = findings.forwarding_missing || engine.networks.forwarding_missing(network.id);
    }
    if (!row.spec.publish.empty()) findings.publish_missing = engine.policies.missing(row.id);
    return findings;
}

}  // namespace jaild::reconcile
