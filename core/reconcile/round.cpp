#include "core/reconcile/round.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "core/base/disk_full.h"
#include "core/base/failpoint.h"
#include "core/reconcile/apply.h"
#include "core/reconcile/effective.h"
#include "core/reconcile/last_words.h"

namespace jaild::reconcile {
namespace {

/// Teardown, build and a look at the result are three; the rest is for what happens meanwhile.
constexpr int kMaxPasses = 8;
/// So often a round begins anew because somebody wants something else. Then it does what it has planned, or one who
/// writes fast enough would keep it from ever being done; the next round does the rest.
constexpr int kMaxChanges = 4;
/// Failures that may pass by themselves are given so many tries before the operation is told.
constexpr unsigned kTriesOfOperation = 5;
/// What Processes::interrupt() makes a call return.
constexpr std::string_view kInterrupted = "interrupted";

bool has_step(const Plan& steps, StepKind kind) {
    return std::ranges::find(steps, kind, &Step::kind) != steps.end();
}

Error plain_error(Errc code, std::string_view op, std::string detail, std::string_view reason) {
    return {.code = code, .op = op, .sys = 0, .detail = std::move(detail), .reason = reason, .field = {}, .remedy = {}};
}

}  // namespace

Result<void> Round::run() {
    try {
        return run_passes();
    } catch (const std::exception& thrown) {
        return fail({.step = current_, .error = plain_error(Errc::kernel, "reconcile", thrown.what(), "exception")});
    }
}

Result<void> Round::run_passes() {
    if (auto loaded = load(); !loaded || !*loaded) {
        if (loaded) return {};
        return fail({.step = current_, .error = loaded.error()});
    }
    for (int count = 0; count < kMaxPasses; ++count) {
        auto passed = pass();
        if (!passed) return fail({.step = current_, .error = passed.error()});
        if (*passed != Pass::again) return {};
    }
    return fail(
        {.step = current_,
         .error = plain_error(Errc::busy, "reconcile", "the jail is changed faster than it can be mended", {})});
}

/// False: the jail is gone.
Result<bool> Round::load() {
    current_ = "read the jail";
    asked_ = engine_.board.heed(id_);
    auto read = engine_.store.read([&](store::Reader& reader) -> Result<void> {
        auto row = reader.jail(id_);
        if (!row) return std::unexpected(row.error());
        auto networks = reader.networks();
        if (!networks) return std::unexpected(networks.error());
        row_ = engine_.held(*row);
        held_back_ = wanted(*row) && !wanted(*row_);
        networks_ = *std::move(networks);
        return {};
    });
    if (read) {
        engine_.board.begin(*row_);
        if (!engine_.halting()) engine_.lifetimes->learn(*row_);
        engine_.policies.not_missing(id_);
        return true;
    }
    if (read.error().code != Errc::not_found) return std::unexpected(read.error());
    engine_.board.erase(id_);
    engine_.lifetimes->forget(id_);
    return false;
}

Result<Round::Look> Round::look() {
    current_ = "observe";
    if (expect_) (void)expect_(Milliseconds{0});
    begin_doing(current_, Milliseconds{0});
    const auto begun = engine_.clock.monotonic();
    auto observed = observe(engine_.kernel, *row_);
    if (!observed) return std::unexpected(observed.error());
    tell_duration(current_, begun);
    engine_.add_known(*row_, *observed);
    auto desired = desire(engine_.kernel, *row_, *observed, networks_);
    if (!desired) return std::unexpected(desired.error());
    Look look{.observed = *std::move(observed), .desired = *std::move(desired), .steps = {}};
    if (auto seen = look_at_rules(look); !seen) return std::unexpected(seen.error());
    look.desired.waits_for = engine_.waits_for(*row_, look.observed);
    look.desired.needed_by = engine_.needed_by(*row_);
    look.desired.due = engine_.restart_is_due(*row_, look.observed);
    look.steps = plan(look.desired, look.observed);
    return look;
}

/// What its packet filter rules should be and are, and what others' must know of it.
Result<void> Round::look_at_rules(Look& look) {
    if (!engine_.policies.knows_all())
        if (auto learnt = learn_all(); !learnt) return learnt;
    auto& policies = engine_.policies;
    policies.learn(look.desired.jail, networks_);
    look.desired.rules = policies.rules_for(look.desired.jail, networks_);
    const bool given_up = policies.missing(id_).has_value();
    auto seen = see_rules(look);
    if (given_up) look.observed.rules.reset();
    if (seen) return {};
    // Who may run without them does; who may not finds out by the step that fails.
    if (!look.desired.rules) return {};
    if (confined(look.desired.jail) && seen.error().code != Errc::unsupported) return seen;
    if (!given_up) policies.missing(id_, seen.error());
    return {};
}

/// As they were seen lately, else anew.
Result<void> Round::see_rules(Look& look) {
    auto& policies = engine_.policies;
    if (look.desired.rules && confined(look.desired.jail))
        look.observed.unfiltered = policies.unfiltered(*look.desired.rules);
    const auto wanted_rules = look.desired.rules.value_or(kernel::JailRules{.jail = id_});
    const auto before = policies.seen(wanted_rules);
    const auto looked = engine_.clock.monotonic();
    auto seen = observe_rules(engine_.kernel, wanted_rules, look.observed, before);
    if (seen) policies.saw(wanted_rules, *look.observed.rules, looked);
    return seen;
}

/// The daemon has just started, and no sweep has told of everybody yet.
Result<void> Round::learn_all() {
    auto rows =
        store::read<std::vector<model::Jail>>(engine_.store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    engine_.policies.learn_all(*rows, networks_);
    return {};
}

Result<Round::Pass> Round::pass() {
    auto looked = look();
    if (!looked) return std::unexpected(looked.error());
    desired_ = looked->desired;
    note_breaches(looked->observed);
    if (undoing_ && !hooks_are_due(looked->desired.jail, looked->observed)) {
        current_ = undoing_->step;
        return std::unexpected(std::exchange(undoing_, {})->error);
    }
    if (looked->steps.empty()) {
        if (auto settled = settle(*looked); !settled) return std::unexpected(settled.error());
        // It may have come up in the moment before it was known that this one waits.
        const bool waited = !looked->desired.waits_for.empty();
        return waited && engine_.waits_for(*row_, looked->observed).empty() ? Pass::again : Pass::settled;
    }
    current_ = looked->steps.front().to_string();
    if (looked->steps == last_) {
        return std::unexpected(plain_error(Errc::kernel, "reconcile",
                                           "it was done without an error, and yet is still to be done", "no_effect"));
    }
    if (last_.empty() && is_drift(looked->desired, looked->observed))
        engine_.board.update(id_, [](Memory& memory) { memory.disturbed = true; });
    if (is_restart(looked->desired, looked->observed)) note_restart(looked->observed);
    if (const auto first = left_behind(effective(*row_, looked->observed).jail, looked->observed))
        notes_.push_back(follow_note(*first));
    engine_.board.publish(findings_of(engine_, *row_, looked->observed, &looked->desired, Phase::at_work));
    return do_steps(*looked);
}

/// While it lives: what a jail was ended for is known no more once it is gone.
void Round::note_breaches(const Observed& observed) {
    if (!alive(observed) || !observed.limits) return;
    const auto& now = observed.limits->breaches;
    if (const auto told = engine_.board.get(id_).told_breaches)
        for (auto& note : breach_notes(*told, now)) notes_.push_back(std::move(note));
    engine_.board.update(id_, [&](Memory& memory) { memory.told_breaches = now; });
}

/// Its end, unless that was told already, and what follows.
void Round::note_restart(const Observed& observed) {
    const auto ended = ended_command(effective(*row_, observed).jail, observed);
    const auto memory = engine_.board.get(id_);
    if (memory.told_restart == ended->exit) return;
    const bool untold = memory.command_ran || restarted_;
    restarted_ = true;
    const bool sick = ended->exit.reason == model::kUnhealthy;
    if (untold && !sick) notes_.push_back(command_ended_note(ended->exit));
    notes_.push_back(restart_note(*ended, engine_.clock.utc()));
    engine_.board.update(id_, [&](Memory& known) {
        known.command_ran = false;
        known.told_restart = ended->exit;
    });
}

/// For whoever looks meanwhile.
void Round::begin_doing(std::string_view what, Milliseconds allowed) {
    engine_.board.begin(
        id_,
        {.step = std::string(what), .since = engine_.clock.monotonic(), .at = engine_.clock.utc(), .allowed = allowed});
}

/// For whoever looks why a start is slow.
void Round::tell_duration(std::string_view what, Clock::Monotonic begun) const {
    spdlog::debug("jail {}: {}: {} ms", row_->name.text(), what,
                  std::chrono::ceil<Milliseconds>(engine_.clock.monotonic() - begun).count());
}

/// What must be known or there before the first step.
Result<void> Round::prepare(const Look& look) {
    const auto& jail = look.desired.jail;
    // Before it comes, while it is changed, and before it goes: nobody takes it for another by its address.
    current_ = "update_groups";
    if (auto updated = engine_.policies.update_groups(); !updated) return updated;
    if (has_step(look.steps, StepKind::create_jail)) {
        current_ = "check_name " + jail.name.text();
        if (auto free = engine_.kernel.jails().check_name(jail.name, jail.id); !free) return free;
        if (auto there = check_cpus(jail.spec.cpuset); !there) return there;
    }
    const auto dataset = std::ranges::find(look.steps, StepKind::attach_dataset, &Step::kind);
    if (dataset != look.steps.end()) {
        current_ = dataset->to_string();
        if (auto left = check_datasets_left(jail); !left) return left;
    }
    const auto link = std::ranges::find(look.steps, StepKind::ensure_link, &Step::kind);
    if (link == look.steps.end()) return {};
    current_ = link->to_string();
    if (auto left = check_addresses_left(jail); !left) return left;
    return ensure_networks(look);
}

/// A host may have lost some since they were asked for.
Result<void> Round::check_cpus(const std::string& cpus) {
    if (cpus.empty()) return {};
    current_ = "check_cpuset " + cpus;
    auto there = engine_.kernel.limits().check_cpus(cpus);
    if (!there) there.error().field = "/cpuset";
    return there;
}

/// The daemon has just started, and may not have seen the jail that runs with what another one is to have.
Result<void> Round::survey() {
    if (engine_.surveyed) return {};
    const auto before = engine_.board.all();
    auto all = observe_all(engine_.kernel);
    if (!all) return std::unexpected(all.error());
    auto rows =
        store::read<std::vector<model::Jail>>(engine_.store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) {
        const auto seen = all->find(row.id);
        if (seen == all->end()) continue;
        if (auto read = read_details(engine_.kernel, row, seen->second); !read) return read;
        engine_.board.remember(before, row, seen->second);
    }
    return {};
}

/// Given away while its old owner runs on with it, until he is restarted.
Result<void> Round::check_addresses_left(const model::Jail& jail) {
    if (auto surveyed = survey(); !surveyed) return surveyed;
    const auto holder = engine_.board.holder_of(jail.addresses(), jail.id);
    if (!holder) return {};
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "address",
                                 .sys = 0,
                                 .detail = "jail " + *holder + " still uses an address of this jail",
                                 .reason = "address_in_use",
                                 .field = {},
                                 .remedy = "restart or stop jail " + *holder});
}

/// The same of datasets: two jails never have one.
Result<void> Round::check_datasets_left(const model::Jail& jail) {
    if (auto surveyed = survey(); !surveyed) return surveyed;
    const auto holder = engine_.board.holder_of(jail.spec.datasets, jail.id);
    if (!holder) return {};
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "datasets",
                                 .sys = 0,
                                 .detail = "jail " + *holder + " still runs with a dataset of this jail",
                                 .reason = "dataset_in_use",
                                 .field = "/datasets",
                                 .remedy = "restart or stop jail " + *holder});
}

/// Those of the links that are to be made or mended.
Result<void> Round::ensure_networks(const Look& look) {
    std::set<NetworkId> done;
    for (const auto& step : look.steps) {
        if (step.kind != StepKind::ensure_link) continue;
        const auto& network = look.desired.networks.at(step.interface);
        if (!done.insert(network.id).second) continue;
        if (auto ensured = ensure_network(network); !ensured) return ensured;
    }
    return {};
}

Result<void> Round::ensure_network(const model::Network& network) {
    begin_doing("network " + network.name.text(), Milliseconds{0});
    const auto begun = engine_.clock.monotonic();
    const auto done = engine_.networks.ensure(network, networks_);
    tell_duration("network " + network.name.text(), begun);
    for (const auto& step : done.steps) engine_.board.add_progress(id_, step);
    if (done.repaired > 0) notes_.push_back(drift_note("network", network.name.text(), done.steps, done.repaired));
    if (!done.failure) return {};
    current_ = done.failure->step;
    return std::unexpected(done.failure->error);
}

Result<Round::Pass> Round::do_steps(const Look& look) {
    if (auto prepared = prepare(look); !prepared) return std::unexpected(prepared.error());
    for (const auto& step : look.steps) {
        if (engine_.stopping)
            return std::unexpected(plain_error(Errc::busy, "reconcile", "the daemon stops", "stopping"));
        // Somebody wants something else by now: each step stands for itself, so the rest is planned anew.
        if (engine_.board.asked(id_) != asked_ && changes_++ < kMaxChanges) return start_over();
        current_ = step.to_string();
        failpoint::pass(failpoint::When::before, to_string(step.kind));
        if (step.kind == StepKind::forget) {
            if (auto forgotten = forget(); !forgotten) return std::unexpected(forgotten.error());
            return Pass::forgotten;
        }
        if (step.kind == StepKind::judge_upgrade) return judge_upgrade();
        if (auto done = do_step(look, step); !done) {
            if (done.error().reason == kInterrupted) return start_over();
            if (does_without(look, step, done.error())) continue;
            const auto hook = hook_of(step.kind);
            if (hook && model::is_of_start(*hook) && kernel::is_of_hook(done.error())) {
                if (auto undone = undo_start(done.error()); !undone) return std::unexpected(undone.error());
                return Pass::again;
            }
            auto given_up = give_up_root_change(step, done.error());
            if (!given_up) return std::unexpected(given_up.error());
            if (*given_up) return start_over();
            return std::unexpected(done.error());
        }
        done_.push_back(current_);
        engine_.board.add_progress(id_, current_);
        if (step.kind == StepKind::create_jail)
            engine_.board.update(id_, [](Memory& memory) { memory.told_breaches.emplace(); });
        if (auto told = root_changed(step); !told) return std::unexpected(told.error());
    }
    last_ = look.steps;
    return Pass::again;
}

/// With what is wanted by now.
Result<Round::Pass> Round::start_over() {
    last_.clear();
    undoing_.reset();
    auto loaded = load();
    if (!loaded) return std::unexpected(loaded.error());
    return *loaded ? Pass::again : Pass::forgotten;
}

/// A jail that asks for no policy runs without its rules, and without its published ports, if they cannot be loaded.
bool Round::does_without(const Look& look, const Step& step, const Error& error) {
    if (step.kind != StepKind::ensure_firewall || confined(look.desired.jail) || error.code == Errc::busy) return false;
    engine_.policies.missing(id_, error);
    spdlog::warn("jail {}: {}: {}", row_->name.text(), current_, error.to_string());
    return true;
}

Result<void> Round::do_step(const Look& look, const Step& step) {
    if (expect_ && !expect_(allowance(look.desired, step))) {
        return std::unexpected(plain_error(Errc::busy, "reconcile",
                                           "programs of too many other jails run already: one of them has to end first",
                                           "too_many_programs"));
    }
    // What is asked from here on says nothing about the jail.
    if (step.kind == StepKind::stop_command || step.kind == StepKind::remove_jail) engine_.vitals.forget(id_);
    begin_doing(current_, allowance(look.desired, step));
    const auto begun = engine_.clock.monotonic();
    const bool of_rules = step.kind == StepKind::ensure_firewall || step.kind == StepKind::remove_firewall;
    if (of_rules) engine_.policies.changes(id_);
    auto done = step.kind == StepKind::refresh_root   ? refresh_root(look, step)
                : step.kind == StepKind::upgrade_root ? upgrade_root()
                                                      : apply(engine_.kernel, look.desired, look.observed, step);
    if (done) failpoint::pass(failpoint::When::after, to_string(step.kind));
    if (of_rules && done) tell_rules(look, step);
    tell_duration(current_, begun);
    if (step.kind == StepKind::destroy_link || step.kind == StepKind::remove_jail) {
        for (const auto& interface : row_->interfaces) released_.insert(interface.network);
        for (const auto& link : look.observed.links) released_.insert(link.bridge);
    }
    if (done) return {};
    if (writes_files(step.kind)) done = std::unexpected(or_disk_full(done.error()));
    const bool of_program = step.kind == StepKind::exec_start || hook_of(step.kind);
    if (of_program) done = std::unexpected(with_last_words(std::move(done.error())));
    if (!goes_on_without(step, done.error())) return done;
    spdlog::warn("jail {}: {}: {}", row_->name.text(), current_, done.error().to_string());
    notes_.push_back(failure_note({.step = step.to_string(), .error = done.error()}));
    return {};
}

/// Unlike with jail(8), nothing of the user's makes a jail unstoppable. But poststop has run, or the stop waits for it.
bool Round::goes_on_without(const Step& step, const Error& error) {
    if (error.reason == kInterrupted) return false;
    if (step.kind == StepKind::exec_poststop) return kernel::is_of_hook(error);
    return step.kind == StepKind::exec_stop || step.kind == StepKind::exec_prestop;
}

/// Of a program that failed or was killed: what it said last, which is in the jail's log.
Error Round::with_last_words(Error error) {
    if (error.reason != "start_failed" && error.reason != "timed_out" && !kernel::is_of_hook(error)) return error;
    if (error.reason == kernel::kHookNotExecuted) return error;
    const auto log = engine_.kernel.processes().open_log(id_);
    const auto words = log ? last_lines(log->get()) : std::string();
    if (!words.empty()) error.detail += "; the last lines of the jail's log: " + words;
    return error;
}

/// A hook of the start failed: this life of the jail ends here, with its poststop, and the next try is a whole one.
Result<void> Round::undo_start(const Error& error) {
    undoing_ = {.step = current_, .error = error};
    const auto observed = observe(engine_.kernel, *row_);
    if (!observed) return std::unexpected(observed.error());
    current_ = "record_stopped";
    last_.clear();
    return engine_.kernel.jails().record(id_, stopped_record(*row_, *observed));
}

void Round::tell_rules(const Look& look, const Step& step) {
    const bool loaded = step.kind == StepKind::ensure_firewall;
    engine_.policies.saw(loaded ? *look.desired.rules : kernel::JailRules{.jail = id_},
                         {.jail = id_, .loaded = loaded, .complete = loaded}, engine_.clock.monotonic());
}

/// With the names of the other jails as they are now.
Result<void> Round::refresh_root(const Look& look, const Step& step) {
    return engine_.neighbours.begin(id_, [&](std::vector<kernel::HostEntry> neighbours) {
        auto desired = look.desired;
        desired.neighbours = std::move(neighbours);
        return apply(engine_.kernel, desired, look.observed, step);
    });
}

/// Networks that this jail may have been the last on. A failure is the next sweep's to mend. In a halt they go with the
/// host: time is short.
void Round::release_networks() {
    const auto released = std::exchange(released_, {});
    if (released.empty() || engine_.halting()) return;
    engine_.board.left_networks(id_);
    for (const auto& network : networks_) {
        if (!released.contains(network.id)) continue;
        if (engine_.board.others_use(network.id, id_)) continue;
        const auto done = engine_.networks.leave(network, networks_);
        for (const auto& step : done.steps) engine_.board.add_progress(id_, step);
        if (done.failure) spdlog::info("network {}: {}", network.name.text(), message_of(*done.failure));
    }
}

Result<void> Round::forget() {
    release_networks();
    engine_.board.add_progress(id_, current_);
    if (auto removed = engine_.journal.removed(*row_, engine_.board.get(id_).progress); !removed) return removed;
    failpoint::pass(failpoint::When::after, to_string(StepKind::forget));
    engine_.board.erase(id_);
    engine_.policies.forget(id_);
    engine_.lifetimes->forget(id_);
    engine_.vitals.forget(id_);
    return {};
}

/// The row hears how far its root is.
Result<void> Round::root_changed(const Step& step) {
    if (step.kind == StepKind::restore_root) {
        if (auto ended = engine_.journal.root_changed(*row_); !ended) return ended;
        row_->root_change.reset();
        return {};
    }
    const bool taken = step.kind == StepKind::take_snapshot;
    if (!taken && step.kind != StepKind::upgrade_root) return {};
    const auto next = taken ? model::RootStage::merge : model::RootStage::trial;
    if (auto told = engine_.journal.upgrade_went_on(*row_, next); !told) return told;
    row_->root_change->stage = next;
    return {};
}

/// What cannot be staged, or kept before an upgrade, leaves a jail with a root of its own as it is, and does not keep
/// it from running; an upgrade that fails later is taken back. Whatever may pass by itself is tried again first.
Result<bool> Round::give_up_root_change(const Step& step, const Error& error) {
    const bool of_upgrade = step.kind == StepKind::take_snapshot || step.kind == StepKind::upgrade_root;
    if (!of_upgrade && (step.kind != StepKind::stage_root || !row_->root_change->keep)) return false;
    const bool passes = error.code == Errc::kernel || error.code == Errc::busy;
    if (passes && engine_.board.get(id_).tries < kTriesOfOperation) return false;
    if (step.kind == StepKind::upgrade_root) {
        auto taken_back = take_back_upgrade({.step = current_, .error = error});
        return taken_back ? Result<bool>(true) : std::unexpected(taken_back.error());
    }
    spdlog::warn("jail {}: {}: {}; its root stays as it is", row_->name.text(), current_, error.to_string());
    auto& snapshots = engine_.kernel.snapshots();
    auto gone = of_upgrade ? snapshots.remove({.jail = id_, .id = row_->root_change->from}) : snapshots.unstage(id_);
    if (!gone) return std::unexpected(gone.error());
    auto given_up = engine_.journal.root_change_failed(*row_, {.step = current_, .error = error});
    if (!given_up) return std::unexpected(given_up.error());
    return true;
}

Result<void> Round::upgrade_root() {
    const auto report = engine_.kernel.root_upgrades().upgrade(upgrade_of(*row_));
    if (!report) return std::unexpected(report.error());
    // The board keeps the last 64 lines of a round.
    constexpr std::size_t kConflicts = 40;
    for (auto& line : lines_of(*report, kConflicts)) engine_.board.add_progress(id_, line);
    return {};
}

/// It has come up. Its command must not fail at once.
Result<Round::Pass> Round::judge_upgrade() {
    constexpr Milliseconds kLookEvery{200};
    for (auto left = engine_.options.upgrade_trial;; left -= kLookEvery) {
        const auto observed = observe(engine_.kernel, *row_);
        if (!observed) return std::unexpected(observed.error());
        const auto* shim = observed->shim ? &*observed->shim : nullptr;
        const bool runs = wanted(*row_) && shim && shim->command == kernel::CommandState::running;
        const bool ended = wanted(*row_) && shim && shim->command == kernel::CommandState::exited && shim->last_exit;
        if (ended && shim->last_exit->exit_code != 0)
            return take_back_upgrade(
                {.step = current_,
                 .error = plain_error(
                     Errc::conflict, "upgrade",
                     fmt::format("the command ended with exit code {} after the upgrade", shim->last_exit->exit_code),
                     "command_failed")});
        if (engine_.stopping || engine_.board.asked(id_) != asked_) return start_over();
        if (!runs || left <= kLookEvery) break;
        std::this_thread::sleep_for(kLookEvery);
    }
    if (auto ended = engine_.journal.upgrade_done(*row_); !ended) return std::unexpected(ended.error());
    failpoint::pass(failpoint::When::after, to_string(StepKind::judge_upgrade));
    engine_.board.add_progress(id_, current_);
    row_->root_change.reset();
    return Pass::again;
}

Result<Round::Pass> Round::take_back_upgrade(const Failure& failure) {
    spdlog::warn("jail {}: {}: {}; the upgrade is taken back", row_->name.text(), failure.step,
                 failure.error.to_string());
    if (auto written = engine_.journal.take_back_upgrade(*row_, failure); !written)
        return std::unexpected(written.error());
    return start_over();
}

std::vector<Note> Round::notes_of(const Look& look, model::JailState state) {
    auto notes = std::move(notes_);
    notes_.clear();
    const auto memory = engine_.board.get(id_);
    if (memory.disturbed && !memory.progress.empty()) {
        if (const auto times = memory.repairs.due(memory.progress, engine_.clock.monotonic()))
            notes.push_back(drift_note("jail", row_->name.text(), memory.progress, *times));
    }
    const bool started = std::ranges::find(done_, to_string(StepKind::start_command)) != done_.end();
    const bool runs = shim_alive(look.observed) && look.observed.shim->command == kernel::CommandState::running;
    if (!runs && (memory.command_ran || started))
        notes.push_back(command_ended_note(look.observed.shim ? look.observed.shim->last_exit : std::nullopt));
    const auto health = row_->spec.health ? engine_.vitals.news(id_) : std::nullopt;
    if (health) {
        notes.push_back(health_note(*health, *row_->spec.health));
        engine_.vitals.told(id_, health->state);
    }
    // A jail that is found as it should be after a start of the daemon is no news.
    const bool news = memory.announced ? *memory.announced != state : !done_.empty();
    if (news) notes.push_back(state_note(state));
    return notes;
}

/// Nothing is left to do now.
Result<void> Round::settle(const Look& look) {
    if (!wanted(*row_)) release_networks();
    current_ = "record the outcome";
    failpoint::pass(failpoint::When::before, kSettle);
    engine_.board.update(id_, [](Memory& memory) { memory.failure.reset(); });
    const bool came_up = std::ranges::find(done_, to_string(StepKind::record_done)) != done_.end();
    engine_.vitals.look(*row_, networks_, look.observed, came_up ? health::Begin::fresh : health::Begin::adopted);
    const auto status =
        engine_.board.publish(findings_of(engine_, *row_, look.observed, &look.desired, Phase::settled));
    auto notes = notes_of(look, status.state);
    // A removal ends with forget(), never here: something is dying still. What a halt holds back, the next daemon does;
    // what waits for another jail is done when that one is up.
    const bool waits = !look.desired.waits_for.empty() || !look.desired.needed_by.empty();
    auto written = row_->removing || held_back_ || row_->unpacking() || waits
                       ? engine_.journal.failed(*row_, {}, {}, Journal::Operations::go_on, notes)
                       : engine_.journal.converged(*row_, engine_.board.get(id_).progress, notes);
    if (!written) return written;
    failpoint::pass(failpoint::When::after, kSettle);
    engine_.judge_use(*row_, look.observed);
    const bool runs = shim_alive(look.observed) && look.observed.shim->command == kernel::CommandState::running;
    const auto restart_in = engine_.restart_in(*row_, look.observed);
    engine_.board.update(id_, [&](Memory& memory) {
        memory.tries = 0;
        if (std::exchange(memory.disturbed, false) && !memory.progress.empty())
            memory.repairs.made(memory.progress, engine_.clock.monotonic());
        if (!row_->removing) memory.progress.clear();
        memory.announced = status.state;
        memory.command_ran = runs;
        memory.waits = waits;
        memory.restart_at.reset();
        if (restart_in) memory.restart_at = engine_.clock.monotonic() + *restart_in;
    });
    return {};
}

/// Nothing when it cannot be seen.
std::optional<Observed> Round::observed_now() {
    try {
        auto observed = observe(engine_.kernel, *row_);
        if (observed) {
            engine_.add_known(*row_, *observed);
            return *std::move(observed);
        }
    } catch (const std::exception&) {  // what failed the round, most likely
    }
    return std::nullopt;
}

Result<void> Round::fail(Failure failure) {
    if (engine_.stopping) return std::unexpected(std::move(failure.error));
    const auto before = engine_.board.get(id_);
    const auto tries = engine_.board.failed(id_, failure);
    if (!row_) return std::unexpected(std::move(failure.error));

    const bool repeated = before.failure && message_of(*before.failure) == message_of(failure);
    if (!repeated) spdlog::warn("jail {}: {}: {}", row_->name.text(), failure.step, failure.error.to_string());
    // Steps were done since the last look: what clients see should be what is there.
    auto observed = observed_now();
    if (!observed) observed = before.observed;
    auto findings =
        findings_of(engine_, *row_, observed.value_or(Observed{}), desired_ ? &*desired_ : nullptr, Phase::settled);
    // What it may hold, an address say, is not free because nobody could look.
    findings.unseen = !observed;
    engine_.board.publish(std::move(findings));
    if (observed) engine_.judge_use(*row_, *observed);
    auto notes = std::move(notes_);
    if (!repeated) notes.push_back(failure_note(failure));
    if (before.announced != model::JailState::failed) notes.push_back(state_note(model::JailState::failed));
    // One that does not come up after an upgrade has its root of before again, by the next try; its own programs get no
    // second chance.
    const bool tried = row_->root_change && row_->root_change->stage == model::RootStage::trial;
    const bool own = kernel::is_of_hook(failure.error) ||
                     (failure.error.sys == 0 && (failure.step == to_string(StepKind::exec_start) ||
                                                 failure.step == to_string(StepKind::start_command)));
    const bool ends = !held_back_ && (is_permanent(failure.error) || tries >= kTriesOfOperation || (tried && own));
    auto written = ends && tried
                       ? engine_.journal.take_back_upgrade(*row_, failure)
                       : engine_.journal.failed(*row_, before.progress, failure,
                                                ends ? Journal::Operations::fail : Journal::Operations::go_on, notes);
    if (written) {
        engine_.board.update(id_, [](Memory& memory) { memory.announced = model::JailState::failed; });
    } else {
        spdlog::error("jail {}: cannot be recorded: {}", row_->name.text(), written.error().to_string());
    }
    return std::unexpected(std::move(failure.error));
}

}  // namespace jaild::reconcile
