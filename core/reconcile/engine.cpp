#include "core/reconcile/engine.h"

namespace jaild::reconcile {

Result<std::vector<model::Network>> read_networks(store::Store& store) {
    return store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
}

Findings findings_of(Engine& engine, const model::Jail& row, const Observed& observed, const Desired* desired,
                     Phase phase) {
    Findings findings{.row = row, .observed = observed, .phase = phase, .now = engine.clock.utc()};
    if (desired && desired->network) {
        findings.nat_missing = engine.networks.nat_missing(desired->network->id);
        findings.forwarding_missing = engine.networks.forwarding_missing(desired->network->id);
    }
    return findings;
}

}  // namespace jaild::reconcile
