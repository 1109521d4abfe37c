#include "core/reconcile/sweep.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

/// Keeps the first error: what follows it is swept all the same.
void keep(Result<void>& first, Result<void> next) {
    if (first && !next) first = std::move(next);
}

/// A limit was, since the last look.
bool breached(const Memory& memory, const Observed& observed) {
    return memory.told_breaches && alive(observed) && observed.limits &&
           observed.limits->breaches != *memory.told_breaches;
}

}  // namespace

Result<void> Sweep::collect() {
    memories_ = engine_.board.all();
    auto found = observe_all(engine_.kernel);
    if (!found) return std::unexpected(found.error());
    found_ = *std::move(found);
    return engine_.store.read([&](store::Reader& reader) -> Result<void> {
        auto rows = reader.all_jails();
        if (!rows) return std::unexpected(rows.error());
        auto networks = reader.networks();
        if (!networks) return std::unexpected(networks.error());
        rows_.clear();
        for (auto& row : *rows) rows_.push_back(engine_.held(std::move(row)));
        std::ranges::stable_sort(rows_, {}, [](const model::Jail& row) { return row.spec.priority; });
        networks_ = *std::move(networks);
        return {};
    });
}

Result<void> Sweep::collect_limits() {
    std::vector<kernel::LimitSubject> subjects;
    subjects.reserve(rows_.size());
    for (const auto& row : rows_) subjects.push_back(limit_subject(row));
    auto limits = engine_.kernel.limits().list(subjects);
    if (!limits) return std::unexpected(limits.error());
    for (auto& one : *limits)
        if (found_.contains(one.id) || !one.rules.empty()) found_[one.id].limits = std::move(one);
    return {};
}

Result<void> Sweep::collect_storage() {
    std::vector<JailId> jails;
    for (const auto& row : rows_)
        if (row.spec.root.kind != model::RootKind::path) jails.push_back(row.id);
    auto storage = engine_.kernel.roots().storage(jails);
    if (!storage) return std::unexpected(storage.error());
    for (auto& one : *storage)
        if (found_.contains(one.id)) found_[one.id].storage = std::move(one);
    return {};
}

/// As each jail is held to: addresses that wait for a restart are not in force.
void Sweep::learn_policies() {
    std::vector<model::Jail> held;
    held.reserve(rows_.size());
    for (const auto& row : rows_) {
        const auto entry = found_.find(row.id);
        held.push_back(effective(row, entry == found_.end() ? Observed{} : entry->second).jail);
    }
    engine_.policies.learn_all(held, networks_);
}

Result<void> Sweep::collect_rules() {
    auto& firewall = engine_.kernel.firewall();
    if (auto updated = engine_.policies.update_groups(); !updated) return updated;
    const auto unfiltered = std::ranges::any_of(rows_, confined) ? engine_.policies.unfiltered() : Unfiltered::no;
    std::vector<kernel::JailRules> desired;
    desired.reserve(rows_.size());
    for (const auto& row : rows_) {
        const auto entry = found_.find(row.id);
        const auto held = effective(row, entry == found_.end() ? Observed{} : entry->second).jail;
        auto rules = engine_.policies.rules_for(held, networks_);
        if (rules && confined(held))
            found_[row.id].unfiltered =
                unfiltered == Unfiltered::no ? engine_.policies.unfiltered_on_bridges(*rules) : unfiltered;
        desired.push_back(rules ? *std::move(rules) : kernel::JailRules{.jail = row.id});
    }
    if (!firewall.available()) return {};
    const auto looked = engine_.clock.monotonic();
    auto listed = firewall.list_jails(desired);
    if (!listed) return std::unexpected(listed.error());
    for (std::size_t i = 0; i < listed->size(); ++i) {
        const auto& one = (*listed)[i];
        if (i < desired.size()) engine_.policies.saw(desired[i], one, looked);
        if (found_.contains(one.jail) || one.loaded) found_[one.jail].rules = one;
    }
    engine_.policies.saw_all(looked);
    return {};
}

Milliseconds pause_after(Milliseconds took, Milliseconds least, Milliseconds most) {
    constexpr int kPart = 20;
    return std::max(least, std::min(most, (kPart - 1) * took));
}

Result<Sweep::Due> Sweep::run(Thoroughness thoroughness, const std::function<bool(JailId)>& busy) {
    if (auto collected = collect(); !collected) return std::unexpected(collected.error());
    forget_the_gone(busy);
    Due due{.swept = survey()};
    learn_policies();
    if (thoroughness != Thoroughness::quick) {
        keep(due.swept, collect_limits());
        keep(due.swept, collect_storage());
        const auto collected = collect_rules();
        // Jails that need their rules say what they lack.
        complain("rules of jails", collected ? std::string() : collected.error().to_string());
    }
    engine_.surveyed = true;
    if (!engine_.halting()) engine_.lifetimes->learn_all(rows_);

    remember_whole_ones();
    keep(due.swept, sweep_networks(thoroughness));
    judge_all(thoroughness, busy, due);
    if (thoroughness == Thoroughness::first) keep(due.swept, add_unfinished(due));
    keep(due.swept, sweep_residue(busy));
    if (thoroughness == Thoroughness::first) keep(due.swept, residue_.tell_of_trees());
    return due;
}

/// A memory is older than the rows here: one without a row is about a jail that is gone.
void Sweep::forget_the_gone(const std::function<bool(JailId)>& busy) {
    std::set<JailId> known;
    for (const auto& row : rows_) known.insert(row.id);
    for (const auto& [id, memory] : memories_)
        if (!known.contains(id) && !busy(id)) engine_.board.erase_idle(id);
}

/// Adds to what was listed what each jail has in files of its own.
Result<void> Sweep::survey() {
    Result<void> first;
    unread_.clear();
    for (const auto& row : rows_) {
        const auto entry = found_.find(row.id);
        if (entry == found_.end()) continue;
        auto read = read_details(engine_.kernel, row, entry->second);
        if (!read) unread_.insert(row.id);
        keep(first, std::move(read));
        engine_.board.remember(memories_, row, entry->second);
    }
    return first;
}

void Sweep::judge_all(Thoroughness thoroughness, const std::function<bool(JailId)>& busy, Due& due) {
    for (const auto& row : rows_) {
        if (busy(row.id)) {
            // Its shim has told of itself, say: nobody knows yet how it is.
            if (thoroughness == Thoroughness::first) due.differ.push_back(row.id);
            continue;
        }
        const auto entry = found_.find(row.id);
        switch (judge(row, entry == found_.end() ? Observed{} : entry->second, memories_[row.id])) {
            case Verdict::fine:
                break;
            case Verdict::differs:
                due.differ.push_back(row.id);
                break;
            case Verdict::recovered:
                due.recovered.push_back(row.id);
                break;
        }
    }
}

Result<void> Sweep::sweep_residue(const std::function<bool(JailId)>& busy) {
    Result<void> first;
    for (const auto& [id, observed] : found_) {
        if (std::ranges::find(rows_, id, &model::Jail::id) != rows_.end() || busy(id)) continue;
        keep(first, residue_.sweep(id));
    }
    return first;
}

std::vector<JailId> Sweep::to_start(const std::vector<JailId>& jails) const {
    std::vector<JailId> found;
    for (const auto id : jails) {
        const auto seen = found_.find(id);
        if (wants(id) && (seen == found_.end() || !alive(seen->second))) found.push_back(id);
    }
    return found;
}

bool Sweep::wants(JailId id) const {
    const auto row = std::ranges::find(rows_, id, &model::Jail::id);
    return row != rows_.end() && wanted(*row);
}

Sweep::Verdict Sweep::judge(const model::Jail& row, Observed observed, const Memory& memory) {
    if (memory.under_way) return Verdict::fine;
    // Its round reads them again, and says what is wrong.
    if (unread_.contains(row.id)) return Verdict::differs;
    // Somebody wants something: an operation may wait for its end although nothing is to be done.
    if (memory.asked != memory.heeded) return Verdict::differs;
    engine_.add_known(row, observed);
    auto desired = desire(engine_.kernel, row, observed, networks_);
    if (desired) desired->rules = engine_.policies.rules_for(desired->jail, networks_);
    const auto restart_in = engine_.restart_in(row, observed);
    if (desired) desired->due = restart_in == Milliseconds{0};
    // Its round will say what is wrong.
    if (!desired || !plan(*desired, observed).empty()) return Verdict::differs;
    if (memory.failure) return Verdict::recovered;

    // Older than what a round has seen since, it would be about another life of the jail.
    if (engine_.board.get(row.id).version == memory.version)
        engine_.vitals.look(row, networks_, observed, health::Begin::adopted);
    auto findings = findings_of(engine_, row, observed, &*desired, Phase::settled);
    const auto state = derive_status(findings, memory.status).state;
    const bool ran_out = memory.command_ran && observed.shim && observed.shim->command == kernel::CommandState::exited;
    // One that nobody waits for yet.
    if (restart_in && !memory.restart_at) return Verdict::differs;
    if (breached(memory, findings.observed)) return Verdict::differs;
    if (engine_.vitals.news(row.id)) return Verdict::differs;
    if (ran_out || (memory.announced && *memory.announced != state)) return Verdict::differs;
    if (memory.seen && memory.status.observed_generation != row.generation && !row.removing) return Verdict::differs;
    engine_.board.adopt(memory.version, std::move(findings), state);
    engine_.judge_use(row, observed);
    return Verdict::fine;
}

/// What an earlier daemon had done but not written down. Where that cannot be known, the round finds out.
Result<void> Sweep::add_unfinished(Due& due) {
    std::set<JailId> ended;
    auto read = engine_.store.read([&](store::Reader& reader) -> Result<void> {
        for (const auto& row : rows_) {
            auto running = reader.running_operations(row.id);
            if (!running) return std::unexpected(running.error());
            if (running->empty()) ended.insert(row.id);
        }
        return {};
    });
    for (const auto& row : rows_) {
        if (ended.contains(row.id) || std::ranges::find(due.differ, row.id) != due.differ.end()) continue;
        due.differ.push_back(row.id);
    }
    return read;
}

/// So that what is missing of a network counts as drift after a start of the daemon too.
void Sweep::remember_whole_ones() {
    for (const auto& row : rows_) {
        const auto entry = found_.find(row.id);
        if (entry == found_.end() || !alive(entry->second) || !entry->second.applied.complete) continue;
        for (const auto& network : networks_)
            if (on_network(row, network)) engine_.networks.found_whole(network.id);
    }
}

bool Sweep::in_use(const model::Network& network) const {
    const auto row_uses = [&](const model::Jail& row) {
        if (!on_network(row, network)) return false;
        const auto entry = found_.find(row.id);
        return wanted(row) || (entry != found_.end() && !entry->second.links.empty());
    };
    if (std::ranges::any_of(rows_, row_uses)) return true;
    return std::ranges::any_of(found_, [&](const auto& entry) {
        return std::ranges::find(entry.second.links, network.id, &kernel::ObservedLink::bridge) !=
               entry.second.links.end();
    });
}

Result<void> Sweep::sweep_networks(Thoroughness thoroughness) {
    if (engine_.halting()) return {};  // they go with the host
    auto bridges = engine_.kernel.links().bridges();
    if (!bridges) return std::unexpected(bridges.error());
    bridges_ = *std::move(bridges);
    Result<void> first;
    for (const auto& network : networks_) keep(first, sweep_network(network, thoroughness));
    keep(first, sweep_unknown_networks(thoroughness));
    return first;
}

Result<void> Sweep::sweep_network(const model::Network& network, Thoroughness thoroughness) {
    if (thoroughness == Thoroughness::quick) {
        // Only the bridge is known: everything else is taken as it should be.
        ObservedNetwork assumed{.bridge = {}, .forwarding4 = true, .forwarding6 = true, .firewall = false, .rules = {}};
        const auto bridge = std::ranges::find(bridges_, network.id, &kernel::ObservedBridge::network);
        if (bridge != bridges_.end()) assumed.bridge = *bridge;
        const DesiredNetwork desired{.network = network, .in_use = in_use(network), .manage_forwarding = false};
        if (plan_network(desired, assumed).empty()) return {};
    }
    const auto done = engine_.networks.settle(network, networks_);
    if (done.repaired > 0) {
        spdlog::info("network {} was disturbed: mended", network.name.text());
        auto noted = engine_.journal.note({}, drift_note("network", network.name.text(), done.steps, done.repaired));
        if (!noted) return noted;
    }
    complain("network " + network.name.text(), done.failure ? message_of(*done.failure) : std::string());
    if (!done.failure) return {};
    return std::unexpected(done.failure->error);
}

/// Networks of which something is left that nobody is on.
Result<std::set<NetworkId>> Sweep::unknown_networks(Thoroughness thoroughness) {
    std::set<NetworkId> unknown;
    for (const auto& bridge : bridges_)
        if (bridge.members == 0) unknown.insert(bridge.network);
    if (thoroughness != Thoroughness::quick && engine_.kernel.firewall().available()) {
        auto rules = engine_.kernel.firewall().list(networks_);
        // Bridges are cleared all the same, and networks that need rules say what they lack.
        complain("packet filter", rules ? std::string() : rules.error().to_string());
        if (!rules) rules.emplace();
        for (const auto& loaded : *rules) {
            const auto bridge = std::ranges::find(bridges_, loaded.network, &kernel::ObservedBridge::network);
            if (bridge == bridges_.end() || bridge->members == 0) unknown.insert(loaded.network);
        }
    }
    for (const auto& network : networks_) unknown.erase(network.id);
    if (unknown.empty()) return unknown;
    // One that was made since its row was not there yet is no residue.
    auto known = read_networks(engine_.store);
    if (!known) return std::unexpected(known.error());
    for (const auto& network : *known) unknown.erase(network.id);
    return unknown;
}

Result<void> Sweep::sweep_unknown_networks(Thoroughness thoroughness) {
    const auto unknown = unknown_networks(thoroughness);
    if (!unknown) return std::unexpected(unknown.error());
    Result<void> first;
    for (const NetworkId id : *unknown) {
        const auto done = engine_.networks.clear(id);
        if (done.failure) keep(first, std::unexpected(done.failure->error));
    }
    return first;
}

/// Logs a problem once, however often it is met until it is mended (`problem` empty).
void Sweep::complain(const std::string& about, const std::string& problem) {
    auto& last = complaints_[about];
    if (!problem.empty() && problem != last) spdlog::warn("{}: {}", about, problem);
    last = problem;
}

}  // namespace jaild::reconcile
