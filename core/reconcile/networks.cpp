#include "core/reconcile/networks.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/base/failpoint.h"
#include "core/reconcile/apply.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

/// A call on another network hangs if this is not enough.
constexpr std::chrono::seconds kPatience{30};

Networks::Done failed(std::string step, Error error) {
    return {.steps = {}, .repaired = 0, .failure = Failure{.step = std::move(step), .error = std::move(error)}};
}

Networks::Done no_turn() {
    return failed("network", {.code = Errc::busy,
                              .op = "networks",
                              .sys = 0,
                              .detail = "another change of a network does not end",
                              .reason = "network_busy",
                              .field = {},
                              .remedy = {}});
}

/// What only adds to a network that works without it. One that keeps its jails apart does not without its rules.
bool is_degrading(StepKind kind, const model::Network& network) {
    return kind == StepKind::enable_forwarding || (kind == StepKind::apply_rules && !network.isolated);
}

}  // namespace

/// The right to change networks. Not a plain mutex: its holder may hang in a kernel call.
class Networks::Turn {
public:
    explicit Turn(Networks& networks) : networks_(networks) {
        std::unique_lock lock(networks_.turn_mutex_);
        held_ = networks_.turn_free_.wait_for(lock, kPatience, [&] { return !networks_.turn_taken_; });
        if (held_) networks_.turn_taken_ = true;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        if (!held_) return;
        const std::lock_guard lock(networks_.turn_mutex_);
        networks_.turn_taken_ = false;
        networks_.turn_free_.notify_one();
    }
    explicit operator bool() const { return held_; }

private:
    Networks& networks_;
    bool held_ = false;
};

Networks::Done Networks::ensure(const model::Network& network, const std::vector<model::Network>& all) {
    const Turn turn(*this);
    if (!turn) return no_turn();
    return bring(network, all, true, true);
}

Networks::Done Networks::leave(const model::Network& network, const std::vector<model::Network>& all) {
    return leave_or_settle(network, all, true);
}

Networks::Done Networks::settle(const model::Network& network, const std::vector<model::Network>& all) {
    return leave_or_settle(network, all, false);
}

Networks::Done Networks::leave_or_settle(const model::Network& network, const std::vector<model::Network>& all,
                                         bool trusting) {
    const Turn turn(*this);
    if (!turn) return no_turn();
    // Asked again here: a jail whose row came in meanwhile waits for its turn in ensure().
    const auto used = in_use(network);
    if (!used) return failed("network " + network.name.text(), used.error());
    return bring(network, all, *used, trusting && *used);
}

Networks::Done Networks::clear(NetworkId id) {
    const Turn turn(*this);
    if (!turn) return no_turn();
    if (auto removed = kernel_.firewall().remove(id); !removed) return failed("remove_rules", removed.error());
    if (auto removed = kernel_.links().remove_bridge(id); !removed) return failed("remove_bridge", removed.error());
    return {};
}

Networks::Done Networks::retire(const model::Network& network) {
    const Turn turn(*this);
    if (!turn) return no_turn();
    const auto used = in_use(network);
    if (!used) return failed("network " + network.name.text(), used.error());
    if (*used) return {};
    auto removed = kernel_.links().remove_bridge(network.id);
    return removed ? Done{} : failed("remove_bridge", std::move(removed.error()));
}

Result<bool> Networks::in_use(const model::Network& network) {
    auto rows = store::read<std::vector<model::Jail>>(store_, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    const auto uses = [&](const model::Jail& row) { return on_network(row, network); };
    if (std::ranges::any_of(*rows, [&](const model::Jail& row) { return wanted(row) && uses(row); })) return true;

    // A link that is left keeps it too: its jail may wait for a restart that takes it elsewhere, or be half gone.
    auto links = kernel_.links().list(std::nullopt);
    if (!links) return std::unexpected(links.error());
    return std::ranges::any_of(*links, [&](const kernel::ObservedLink& link) {
        if (link.bridge == network.id) return true;
        const auto row = std::ranges::find(*rows, link.id.jail, &model::Jail::id);
        return row != rows->end() && uses(*row);
    });
}

/// It changes the host itself, and is never lowered again.
void Networks::tell_of_forwarding(const model::Network& network, const std::string& family) {
    spdlog::info("IP forwarding of the host was enabled for {}, network {} needs it", family, network.name.text());
    auto noted = journal_.note({}, forwarding_note(family, network.name.text()));
    if (!noted) spdlog::error("event host.forwarding_enabled: {}", noted.error().to_string());
}

bool Networks::trusts_rules(const model::Network& network) const {
    const std::lock_guard lock(known_mutex_);
    const auto known = known_.find(network.id);
    return known != known_.end() && known->second.ruled == network &&
           clock_.monotonic() - known->second.rules_seen < options_.rules_trusted_for;
}

Networks::Done Networks::bring(const model::Network& network, const std::vector<model::Network>& all, bool in_use,
                               bool trusting) {
    const auto looked = clock_.monotonic();
    const auto rules = trusting && trusts_rules(network) ? Rules::taken_as_whole : Rules::looked_at;
    auto view = observe_network(kernel_, network, all, rules);
    if (!view) return failed("observe network " + network.name.text(), view.error());
    if (in_use && network.isolated && view->firewall_error)
        return failed("apply_rules " + network.name.text(), *view->firewall_error);
    const auto steps = plan_network(
        {.network = network, .in_use = in_use, .manage_forwarding = options_.manage_forwarding}, view->observed);

    Done done;
    Known now{.whole = in_use, .nat_missing = view->firewall_error, .forwarding_missing = false};
    const bool lacks4 = network.forwards(Family::ipv4) && !view->observed.forwarding4;
    const bool lacks6 = network.forwards(Family::ipv6) && !view->observed.forwarding6;
    now.forwarding_missing = !options_.manage_forwarding && (lacks4 || lacks6);
    for (const auto& step : steps) {
        failpoint::pass(failpoint::When::before, to_string(step.kind));
        auto applied = apply(kernel_, network, step);
        if (applied) {
            failpoint::pass(failpoint::When::after, to_string(step.kind));
            done.steps.push_back(step.to_string());
            if (step.kind == StepKind::enable_forwarding) tell_of_forwarding(network, step.object);
        } else if (in_use && is_degrading(step.kind, network)) {
            now.nat_missing = applied.error();
        } else {
            done.failure = Failure{.step = step.to_string(), .error = applied.error()};
            break;
        }
    }
    const auto was_seen = std::ranges::find(steps, StepKind::remove_bridge, &Step::kind) != steps.end();
    if (!in_use && !done.failure) now.cleared = was_seen || take_down_unseen(network.id, done);
    if (in_use && view->observed.firewall && !now.nat_missing && !done.failure) now.ruled = network;
    now.rules_seen = looked;
    if (!network.nat.on) now.nat_missing.reset();

    const std::lock_guard lock(known_mutex_);
    auto& known = known_[network.id];
    if (rules == Rules::taken_as_whole) now.rules_seen = known.rules_seen;
    now.repairs = std::move(known.repairs);
    if (in_use && known.whole && !done.steps.empty()) {
        const auto time = clock_.monotonic();
        done.repaired = now.repairs.due(done.steps, time).value_or(0);
        now.repairs.made(done.steps, time);
    }
    now.whole = now.whole && (known.whole || !done.failure);
    known = std::move(now);
    return done;
}

/// Once since this daemon started or somebody was on it: a bridge that an earlier one had only begun to make is in no
/// list.
bool Networks::take_down_unseen(NetworkId id, Done& done) {
    {
        const std::lock_guard lock(known_mutex_);
        if (known_[id].cleared) return true;
    }
    auto removed = kernel_.links().remove_bridge(id);
    if (!removed) done.failure = Failure{.step = "remove_bridge", .error = std::move(removed.error())};
    return !done.failure;
}

void Networks::found_whole(NetworkId id) {
    const std::lock_guard lock(known_mutex_);
    known_[id].whole = true;
}

std::optional<Error> Networks::nat_missing(NetworkId id) const {
    const std::lock_guard lock(known_mutex_);
    const auto known = known_.find(id);
    return known == known_.end() ? std::nullopt : known->second.nat_missing;
}

bool Networks::forwarding_missing(NetworkId id) const {
    const std::lock_guard lock(known_mutex_);
    const auto known = known_.find(id);
    return known != known_.end() && known->second.forwarding_missing;
}

}  // namespace jaild::reconcile
