#include "core/reconcile/reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <set>

#include "core/model/dependencies.h"
#include "core/reconcile/boot_watch.h"
#include "core/reconcile/effective.h"
#include "core/reconcile/halt.h"
#include "core/reconcile/queue.h"
#include "core/reconcile/round.h"
#include "core/reconcile/sweep.h"

namespace jaild::reconcile {
namespace {

/// The sweep is a job like those of jails, so that a call that hangs in it is noticed too.
constexpr JailId kSweep{0};
/// So is what jails know of each other.
constexpr JailId kNeighbours{-1};
/// And the ends of jails that go by themselves.
constexpr JailId kLifetimes{-2};
/// Of one that cannot go yet: the disk is full, or another jail is made of its snapshot.
constexpr Milliseconds kExpireAgain{2'000};
/// Many that come at once are one change.
constexpr Milliseconds kNeighboursDelay{100};
/// And that takes at most a twentieth of the time.
constexpr int kNeighboursShare = 20;
constexpr Milliseconds kFirstRetry{1'000};
constexpr Milliseconds kLastRetry{300'000};
/// In a halt, one that waits for another: also after the time of waiting is over.
constexpr Milliseconds kHaltLook{200};
/// A restart that is due already.
constexpr Milliseconds kShortestWait{1};

/// Whoever depends on another comes before it, else who is begun last at a boot.
void in_stop_order(std::vector<model::Jail>& rows) {
    std::ranges::stable_sort(rows, std::greater{}, [](const model::Jail& row) { return row.spec.priority; });
    model::Dependencies all;
    std::vector<std::string> keys;
    for (const auto& row : rows) {
        keys.push_back(row.name.key());
        if (!row.spec.depends_on.empty()) all[row.name.key()] = model::names_of(row.spec.depends_on);
    }
    const auto order = model::stop_order(keys, all);
    std::ranges::sort(rows, {}, [&](const model::Jail& row) { return std::ranges::find(order, row.name.key()); });
}

/// A family that its network has lost leaves it with its restart.
bool has_all_addresses(const model::Jail& row, const model::Jail& held) {
    const auto mine = row.addresses();
    return std::ranges::all_of(held.addresses(),
                               [&](const Prefix& one) { return std::ranges::find(mine, one) != mine.end(); });
}

/// 1 s, doubled with each failure up to 5 min.
Milliseconds backoff(unsigned tries) {
    auto delay = kFirstRetry;
    for (unsigned n = 1; n < tries && delay < kLastRetry; ++n) delay *= 2;
    return std::min(delay, kLastRetry);
}

}  // namespace

/// Shared with the threads of the queue: one that hangs may outlive the Reconciler, and finds `engine.stopping` then.
class Reconciler::Impl : public std::enable_shared_from_this<Reconciler::Impl> {
public:
    Impl(store::Store& store, kernel::Kernel& kernel, Clock& clock, const ReconcilerOptions& options)
        : engine(store, kernel, clock, options), sweep_(engine) {}

    void start();
    bool stop();
    Result<std::vector<std::string>> halt(Milliseconds patience);
    void poke(JailId id, Board::Asked how);
    Result<void> reconcile(JailId id, const Round::Expect& expect);
    Result<void> resync(const Round::Expect& expect);
    Result<Plan> plan_now(const model::Jail& row);
    Result<Plan> plan_now(const model::Network& network);
    Result<std::vector<std::string>> held_on(NetworkId network);
    Result<void> retire(const model::Network& network);
    void poke_networks();
    Result<std::optional<Rules>> rules_of(const model::Jail& row);
    Result<std::vector<model::Leftover>> residue(Remove remove);
    Readiness readiness() const;
    model::JailStatus with_doing(model::JailStatus status, const Memory& memory) const;

    Engine engine;

private:
    void work(JailId key, Queue::Lease& lease);
    void work_on_sweep(Queue::Lease& lease);
    void work_on_neighbours();
    void tell_neighbours();
    void work_on_lifetimes();
    void begin_boot();
    void tell_of_boot();
    std::vector<JailId> expire_due();
    void wake_dependents(JailId id);
    void interrupt_again();
    void first_round_done(JailId id);
    bool is_busy(JailId id) const { return (queue_ && queue_->busy(id)) || engine.board.under_way(id); }
    Thoroughness next_thoroughness();

    std::unique_ptr<Queue> queue_;  ///< from start() on
    std::mutex sweep_mutex_;
    std::mutex residue_mutex_;  ///< of what an administrator asks for
    Sweep sweep_;
    BootWatch boot_watch_;
    bool swept_ = false;
    std::atomic<bool> boot_begun_{false};
    Clock::Monotonic last_full_{};
    std::atomic<bool> networks_changed_{false};
    std::string last_problem_;  ///< of a sweep; logged once
    std::atomic<Milliseconds> neighbours_delay_{kNeighboursDelay};
    std::string neighbours_problem_;  ///< logged once
    Halt halt_;

    mutable std::mutex ready_mutex_;
    bool ready_ = false;
    std::set<JailId> awaited_;  ///< jails of the first round that are not done
};

void Reconciler::Impl::start() {
    if (queue_) return;
    const auto& options = engine.options;
    const QueueOptions queue_options{.workers = options.workers,
                                     .max_written_off = options.max_written_off,
                                     .call_deadline = options.call_deadline,
                                     .max_long = options.max_long,
                                     .lend_after = options.lend_after};
    queue_ = std::make_unique<Queue>(engine.clock, queue_options,
                                     [weak = weak_from_this()](JailId key, Queue::Lease& lease) {
                                         if (const auto self = weak.lock()) self->work(key, lease);
                                     });
    engine.kernel.watch([weak = weak_from_this()](JailId id) {
        // Not a wish of anybody's: a jail that keeps failing still waits for its next try.
        if (const auto self = weak.lock(); self && !self->engine.stopping) self->queue_->nudge(id);
    });
    engine.lifetimes->on_change([weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && !self->engine.stopping) self->queue_->poke(kLifetimes);
    });
    engine.vitals.start([weak = weak_from_this()](JailId id) {
        // Even if it waits for a restart: it may be healthy again.
        if (const auto self = weak.lock(); self && !self->engine.stopping) self->queue_->poke(id);
    });
    queue_->poke(kSweep);
    queue_->start();
}

bool Reconciler::Impl::stop() {
    engine.stopping = true;
    engine.vitals.stop();
    return !queue_ || queue_->stop(engine.options.stop_patience);
}

Result<std::vector<std::string>> Reconciler::Impl::halt(Milliseconds patience) {
    engine.halt(patience);
    auto rows =
        store::read<std::vector<model::Jail>>(engine.store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    const Note note{.type = "host.stopping", .data = nlohmann::json{{"jails", rows->size()}}.dump()};
    if (auto noted = engine.journal.note({}, note); !noted) spdlog::warn("{}", noted.error().to_string());
    halt_.expect(*rows);
    in_stop_order(*rows);
    if (queue_) queue_->widen(engine.options.halt_workers);
    for (const auto& row : *rows) {
        poke(row.id, Board::Asked::impatiently);
        if (!queue_ && reconcile(row.id, {}) && !engine.board.get(row.id).waits) halt_.stopped(row.id);
    }
    return halt_.wait(queue_ ? patience : Milliseconds{0});
}

void Reconciler::Impl::poke(JailId id, Board::Asked how) {
    engine.board.ask(id, how);
    if (how == Board::Asked::impatiently) engine.kernel.processes().interrupt(id);
    if (queue_) queue_->poke(id);
    tell_neighbours();
}

/// Soon, and not later because of another change meanwhile.
void Reconciler::Impl::tell_neighbours() {
    if (queue_ && !queue_->waiting(kNeighbours)) queue_->again(kNeighbours, neighbours_delay_);
}

void Reconciler::Impl::work_on_neighbours() {
    const auto begun = engine.clock.monotonic();
    const auto done = engine.neighbours.settle();
    const auto problem = done ? std::string() : done.error().to_string();
    if (!done && problem != neighbours_problem_) spdlog::warn("names of jails: {}", problem);
    neighbours_problem_ = problem;
    const auto took = std::chrono::ceil<Milliseconds>(engine.clock.monotonic() - begun);
    neighbours_delay_ = std::max(kNeighboursDelay, took * kNeighboursShare);
}

/// Those whose wait began in the moment between: a round that reads its row has heeded it.
void Reconciler::Impl::interrupt_again() {
    for (const auto& [id, memory] : engine.board.all())
        if (memory.under_way && memory.impatient) engine.kernel.processes().interrupt(id);
}

void Reconciler::Impl::work(JailId key, Queue::Lease& lease) {
    if (engine.stopping) return;
    if (key == kSweep) return work_on_sweep(lease);
    if (key == kNeighbours) return work_on_neighbours();
    if (key == kLifetimes) return work_on_lifetimes();
    const bool halts = engine.halting();
    const auto done = reconcile(key, [&lease](Milliseconds more) { return lease.expect(more); });
    if (engine.stopping) return;
    if (!done) queue_->again(key, backoff(std::max(1U, engine.board.get(key).tries)));
    const bool waits = engine.board.get(key).waits;
    if (done && halts && !waits) halt_.stopped(key);
    if (done && halts && waits) queue_->again(key, kHaltLook);
    if (done) wake_dependents(key);
    if (const auto at = engine.board.get(key).restart_at; done && at)
        queue_->again(key, std::max(kShortestWait, std::chrono::ceil<Milliseconds>(*at - engine.clock.monotonic())));
    // It may be gone for good by now, or be there for what was left for it.
    if (done) tell_neighbours();
    if (engine.lifetimes->next()) queue_->poke(kLifetimes);
    first_round_done(key);
}

/// Once for each daemon, and again until it can be written down: a full disk keeps no jail from being looked after.
void Reconciler::Impl::begin_boot() {
    if (boot_begun_ || engine.halting()) return;
    const auto boot = engine.kernel.host().boot();
    const auto begun = boot ? reconcile::begin_boot(engine.store, *boot) : std::unexpected(boot.error());
    if (!begun) spdlog::warn("which jails go with a start of the host: {}", begun.error().to_string());
    boot_begun_ = begun.has_value();
}

/// Of those that were to be started, who is still to run.
void Reconciler::Impl::tell_of_boot() {
    if (!boot_watch_.watching() || engine.halting()) return;
    std::vector<BootWatch::Seen> seen;
    for (const auto id : boot_watch_.jails()) {
        const auto memory = engine.board.get(id);
        if (!sweep_.wants(id)) continue;  // by now
        const auto& status = memory.status;
        BootWatch::Seen one{
            .name = memory.name, .runs = status.state == model::JailState::running, .waits = memory.waits};
        for (const auto& condition : status.conditions)
            if (condition.type == "Ready" && !condition.status) one.problem = condition.message;
        seen.push_back(std::move(one));
    }
    if (const auto line = boot_watch_.look(seen, engine.clock.monotonic()))
        spdlog::log(line->warning ? spdlog::level::warn : spdlog::level::info, "{}", line->text);
}

/// Marks those whose time is over. One that cannot go yet stays in the list of the due.
std::vector<JailId> Reconciler::Impl::expire_due() {
    std::vector<JailId> going;
    if (engine.halting() || !boot_begun_) return going;
    for (const auto& due : engine.lifetimes->claim_due()) {
        const auto expired = expire(engine.store, engine.clock, due);
        if (!expired) spdlog::warn("jail {} should go ({}): {}", due.id.value, due.why, expired.error().to_string());
        if (expired && *expired) {
            engine.lifetimes->going(due.id);
            going.push_back(due.id);
        } else {
            engine.lifetimes->kept(due.id, kExpireAgain);
        }
    }
    return going;
}

void Reconciler::Impl::work_on_lifetimes() {
    if (engine.halting() || !boot_begun_) return;  // a sweep asks again
    for (const auto id : expire_due()) poke(id, Board::Asked::impatiently);
    if (const auto next = engine.lifetimes->next())
        queue_->again(kLifetimes,
                      std::max(kShortestWait, std::chrono::ceil<Milliseconds>(*next - engine.clock.monotonic())));
}

/// Those that wait for it to come up, or in a halt to be gone.
void Reconciler::Impl::wake_dependents(JailId id) {
    for (const auto dependent : engine.board.waiting_for(id)) queue_->nudge(dependent);
}

void Reconciler::Impl::work_on_sweep(Queue::Lease& lease) {
    // First of all: whatever is thrown in it, the next one comes.
    queue_->again(kSweep, engine.options.resync);
    interrupt_again();
    // A hook that never ends, or a call that hangs, is that jail's affair: everybody else is served.
    for (const auto id : engine.board.tell_long_steps(engine.clock.monotonic())) first_round_done(id);
    const auto begun = engine.clock.monotonic();
    const auto done = resync([&lease](Milliseconds more) { return lease.expect(more); });
    if (engine.stopping) return;
    const auto problem = done ? std::string() : done.error().to_string();
    if (!done && problem != last_problem_) spdlog::warn("resync: {}", problem);
    last_problem_ = problem;
    const bool first_failed = !done && !readiness().ready;
    const auto took = std::chrono::ceil<Milliseconds>(engine.clock.monotonic() - begun);
    spdlog::debug("resync: {} ms", took.count());
    const auto pause = pause_after(took, engine.options.resync, engine.options.slow_resync);
    // Counted from its end.
    queue_->again(kSweep, first_failed ? std::min(kFirstRetry, pause) : pause);
}

void Reconciler::Impl::first_round_done(JailId id) {
    const std::lock_guard lock(ready_mutex_);
    awaited_.erase(id);
    if (swept_ && awaited_.empty()) ready_ = true;
}

Thoroughness Reconciler::Impl::next_thoroughness() {
    const auto now = engine.clock.monotonic();
    if (!swept_) {
        last_full_ = now;
        return Thoroughness::first;
    }
    const bool asked = networks_changed_.exchange(false);
    if (queue_ && !asked && now - last_full_ < engine.options.slow_resync) return Thoroughness::quick;
    last_full_ = now;
    return Thoroughness::full;
}

Result<void> Reconciler::Impl::resync(const Round::Expect& expect) {
    const std::lock_guard one_at_a_time(sweep_mutex_);
    begin_boot();
    auto due = sweep_.run(next_thoroughness(), [this](JailId id) { return is_busy(id); });
    if (!due) return std::unexpected(due.error());
    if (engine.stopping) return {};

    if (!queue_) {
        for (const auto* ids : {&due->differ, &due->recovered})
            for (const JailId id : *ids) (void)reconcile(id, expect);  // its failure is on the board
        for (const JailId id : expire_due()) (void)reconcile(id, expect);
    } else {
        if (!swept_) {
            const std::lock_guard lock(ready_mutex_);
            awaited_.insert(due->differ.begin(), due->differ.end());
            boot_watch_.begin(sweep_.to_start(due->differ), engine.clock.monotonic());
        }
        for (const JailId id : due->differ) queue_->nudge(id);
        for (const JailId id : due->recovered) queue_->poke(id);
    }
    {
        const std::lock_guard lock(ready_mutex_);
        swept_ = true;
    }
    if (queue_) {
        tell_of_boot();
        tell_neighbours();
        queue_->poke(kLifetimes);
    } else if (auto told = engine.neighbours.settle(); !told && due->swept)
        due->swept = std::move(told);
    first_round_done(kSweep);
    return std::move(due->swept);
}

Result<void> Reconciler::Impl::reconcile(JailId id, const Round::Expect& expect) {
    if (!engine.board.enter(id)) {
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "reconcile",
                                     .sys = 0,
                                     .detail = "a round over this jail is under way",
                                     .reason = "round_under_way",
                                     .field = {},
                                     .remedy = {}});
    }
    struct Leave {
        Board& board;
        JailId id;
        ~Leave() { board.leave(id); }
    } const leave{.board = engine.board, .id = id};
    auto done = Round(engine, id, expect).run();
    if (queue_ || !done) return done;
    // Nobody else does it soon.
    return engine.neighbours.settle();
}

Result<Plan> Reconciler::Impl::plan_now(const model::Jail& row) {
    const auto jail = engine.held(row);
    auto networks = read_networks(engine.store);
    if (!networks) return std::unexpected(networks.error());
    auto observed = observe(engine.kernel, jail);
    if (!observed) return std::unexpected(observed.error());
    engine.add_known(jail, *observed);
    auto desired = desire(engine.kernel, jail, *observed, *networks);
    if (!desired) return std::unexpected(desired.error());

    desired->rules = engine.policies.rules_for(desired->jail, *networks);
    // Without a packet filter there is no step, or one that fails.
    (void)observe_rules(engine.kernel, desired->rules.value_or(kernel::JailRules{.jail = jail.id}), *observed);
    if (desired->rules && confined(desired->jail)) observed->unfiltered = engine.policies.unfiltered(*desired->rules);
    desired->due = engine.restart_is_due(jail, *observed);
    const Plan steps = plan(*desired, *observed);
    Plan all;
    std::set<NetworkId> planned;
    for (const auto& step : steps) {
        if (step.kind != StepKind::ensure_link) continue;
        const auto& network = desired->networks.at(step.interface);
        if (!planned.insert(network.id).second) continue;
        auto view = observe_network(engine.kernel, network, *networks);
        if (!view) return std::unexpected(view.error());
        auto first =
            plan_network({.network = network, .in_use = true, .manage_forwarding = engine.options.manage_forwarding},
                         view->observed);
        all.insert(all.end(), first.begin(), first.end());
    }
    all.insert(all.end(), steps.begin(), steps.end());
    return all;
}

Result<Plan> Reconciler::Impl::plan_now(const model::Network& network) {
    auto rows =
        store::read<std::vector<model::Jail>>(engine.store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    const auto uses = [&](const model::Jail& row) { return wanted(row) && on_network(row, network); };
    if (std::ranges::none_of(*rows, uses)) return Plan{};
    auto networks = read_networks(engine.store);
    if (!networks) return std::unexpected(networks.error());
    for (auto& one : *networks)
        if (one.id == network.id) one = network;
    auto view = observe_network(engine.kernel, network, *networks);
    if (!view) return std::unexpected(view.error());
    return plan_network({.network = network, .in_use = true, .manage_forwarding = engine.options.manage_forwarding},
                        view->observed);
}

Result<std::vector<std::string>> Reconciler::Impl::held_on(NetworkId network) {
    const auto rows =
        store::read<std::vector<model::Jail>>(engine.store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    auto observed = observe_all(engine.kernel);
    if (!observed) return std::unexpected(observed.error());
    const auto on_it = [&](const model::Jail& jail) {
        return std::ranges::find(jail.interfaces, network, &model::AssignedInterface::network) != jail.interfaces.end();
    };
    std::vector<std::string> names;
    for (const auto& row : *rows) {
        const auto found = observed->find(row.id);
        if (found == observed->end() || !alive(found->second)) continue;
        if (auto read = read_details(engine.kernel, row, found->second); !read) return std::unexpected(read.error());
        const auto held = effective(row, found->second).jail;
        if (on_it(held) && !(on_it(row) && has_all_addresses(row, held))) names.push_back(row.name.text());
    }
    return names;
}

Result<void> Reconciler::Impl::retire(const model::Network& network) {
    auto done = engine.networks.retire(network);
    return done.failure ? std::unexpected(std::move(done.failure->error)) : Result<void>{};
}

void Reconciler::Impl::poke_networks() {
    networks_changed_ = true;
    if (queue_) queue_->poke(kSweep);
}

Result<std::optional<Reconciler::Rules>> Reconciler::Impl::rules_of(const model::Jail& row) {
    const auto memory = engine.board.get(row.id);
    const auto held = effective(engine.held(row), memory.observed.value_or(Observed{})).jail;
    const auto networks = read_networks(engine.store);
    if (!networks) return std::unexpected(networks.error());
    auto wanted_rules = engine.policies.rules_for(held, *networks);
    if (!wanted_rules) return std::nullopt;
    auto loaded = engine.kernel.firewall().loaded(*wanted_rules);
    if (!loaded) return std::unexpected(loaded.error());
    return Rules{.wanted = *std::move(wanted_rules), .loaded = *std::move(loaded)};
}

Result<std::vector<model::Leftover>> Reconciler::Impl::residue(Remove remove) {
    // Not the sweeps': a large root may take longer to delete than a sweep may wait.
    const std::lock_guard one_at_a_time(residue_mutex_);
    const auto busy = [this](JailId id) { return is_busy(id); };
    auto& residue = sweep_.residue();
    return remove == Remove::yes ? residue.remove_all(busy) : residue.list(busy);
}

/// A step that takes long is told by the time at which somebody asks.
model::JailStatus Reconciler::Impl::with_doing(model::JailStatus status, const Memory& memory) const {
    if (!memory.doing) return status;
    auto told = long_step(*memory.doing, engine.clock.monotonic(), engine.options.call_deadline);
    if (told) status.conditions.push_back(*std::move(told));
    return status;
}

Readiness Reconciler::Impl::readiness() const {
    Readiness readiness;
    if (queue_) readiness.written_off = queue_->written_off();
    readiness.exhausted = readiness.written_off > engine.options.max_written_off;
    const std::lock_guard lock(ready_mutex_);
    readiness.ready = ready_;
    const auto known = [this](JailId id) { return engine.board.knows(id); };
    readiness.looked = ready_ || (swept_ && std::ranges::all_of(awaited_, known));
    return readiness;
}

Reconciler::Reconciler(store::Store& store, kernel::Kernel& kernel, Clock& clock, ReconcilerOptions options)
    : impl_(std::make_shared<Impl>(store, kernel, clock, options)) {}

Reconciler::~Reconciler() {
    impl_->stop();
}

void Reconciler::start() {
    impl_->start();
}

bool Reconciler::stop() {
    return impl_->stop();
}

Result<std::vector<std::string>> Reconciler::halt(Milliseconds patience) {
    return impl_->halt(patience);
}

void Reconciler::poke(JailId id) {
    impl_->poke(id, Board::Asked::in_turn);
}

void Reconciler::interrupt(JailId id) {
    impl_->poke(id, Board::Asked::impatiently);
}

model::JailStatus Reconciler::status(JailId id) const {
    auto memory = impl_->engine.board.get(id);
    return impl_->with_doing(std::move(memory.status), memory);
}

model::JailStatus Reconciler::status(const model::Jail& row) const {
    auto memory = impl_->engine.board.get(row.id);
    return impl_->with_doing(memory.seen ? std::move(memory.status) : expected_status(row), memory);
}

std::vector<std::string> Reconciler::progress(JailId id) const {
    return impl_->engine.board.get(id).progress;
}

bool Reconciler::needs_restart(const model::Jail& row) const {
    const auto memory = impl_->engine.board.get(row.id);
    return wanted(row) && memory.observed && !effective(row, *memory.observed).waiting.empty();
}

void Reconciler::on_status(std::function<void(JailId)> listener) {
    impl_->engine.board.on_status(std::move(listener));
}

Result<Plan> Reconciler::plan_now(const model::Jail& jail) {
    return impl_->plan_now(jail);
}

Result<Plan> Reconciler::plan_now(const model::Network& network) {
    return impl_->plan_now(network);
}

Result<std::vector<std::string>> Reconciler::held_on(NetworkId network) {
    return impl_->held_on(network);
}

Result<void> Reconciler::retire(const model::Network& network) {
    return impl_->retire(network);
}

std::optional<Lifetimes::Hold> Reconciler::hold(JailId id) {
    return Lifetimes::hold(impl_->engine.lifetimes, id);
}

void Reconciler::poke_networks() {
    impl_->poke_networks();
}

Result<std::optional<Reconciler::Rules>> Reconciler::rules_of(const model::Jail& jail) {
    return impl_->rules_of(jail);
}

void Reconciler::probed(JailId id, const health::Outcome& outcome) {
    (void)impl_->engine.vitals.probed(id, outcome);
}

Result<std::vector<model::Leftover>> Reconciler::residue(Remove remove) {
    return impl_->residue(remove);
}

Readiness Reconciler::readiness() const {
    return impl_->readiness();
}

Result<void> Reconciler::reconcile(JailId id) {
    return impl_->reconcile(id, {});
}

Result<void> Reconciler::resync() {
    return impl_->resync({});
}

}  // namespace jaild::reconcile
