#include "core/reconcile/plan.h"

#include <algorithm>

#include "core/reconcile/effective.h"
#include "core/reconcile/plan_mounts.h"

namespace jaild::reconcile {
namespace {

using kernel::CommandState;
using kernel::Mount;

void add_link(Plan& steps, StepKind kind, const model::Jail& jail, unsigned index) {
    steps.push_back({.kind = kind, .object = interface_name(jail, index), .mount = {}, .interface = index});
}

void add(Plan& steps, StepKind kind, std::string object = {}) {
    steps.push_back({.kind = kind, .object = std::move(object), .mount = {}});
}

void add_alias(Plan& steps, StepKind kind, const kernel::Alias& alias) {
    steps.push_back({.kind = kind, .object = alias.to_string(), .mount = {}, .alias = alias});
}

enum class Next {
    fresh,   ///< what comes next, if anything, is a start that somebody asked for: the hint is cleared
    remake,  ///< the same incarnation comes back: the hint must say if its command was run
};

void add_hook(Plan& steps, const model::JailSpec& spec, model::Hook hook) {
    if (spec.exec.hooks.contains(hook)) add(steps, step_of(hook));
}

/// One of the start, unless it ran in this life already.
void add_hook_once(Plan& steps, const model::JailSpec& spec, const Observed& observed, model::Hook hook) {
    if (!observed.shim || !observed.shim->hooks_done.contains(hook)) add_hook(steps, spec, hook);
}

/// The host's part of the end, whatever came before it; by a shim made for it, if there is none.
void end_hooks(const model::Jail& jail, const Observed& observed, Plan& steps) {
    if (!hooks_are_due(jail, observed)) return;
    if (!shim_alive(observed)) add(steps, StepKind::hold);
    add_hook(steps, jail.spec, model::Hook::poststop);
    add(steps, StepKind::record_poststop);
    if (!shim_alive(observed)) add(steps, StepKind::release);
}

/// What runs goes; root, row and log stay. The jail's own end first, while all of it still works; then nothing may lose
/// what it stands on: the link before the jail whose network stack holds it (FreeBSD returns an interface only when the
/// last reference to a removed jail drops), the jail before its reaper, everything before the mounts.
void tear_down(const model::Jail& jail, const Observed& observed, Next next, Plan& steps) {
    const bool lives = alive(observed);
    const bool whole = lives && shim_alive(observed) && observed.applied.complete;
    if (whole) add_hook(steps, jail.spec, model::Hook::prestop);
    if (next == Next::fresh) {
        if (whole && !jail.spec.exec.stop.empty()) add(steps, StepKind::exec_stop);
        const bool stops = !steps.empty();
        // While something says still which ones it has: the next jail may be given them from here on.
        const auto given = given_datasets(observed);
        // A stop that is called off from here on (nothing more may get done: a full disk) has taken them from a jail
        // that lives on, which is to be given them again.
        if (whole && !wanted(jail) && !given.empty()) add(steps, StepKind::record_begun);
        for (const auto& dataset : given) add(steps, StepKind::detach_dataset, dataset);
        // From here on it is nobody's running jail: exec.stop is not run again when a later step must be retried. (The
        // hint of a removed jail goes with its directory.)
        const auto stopped = stopped_record(jail, observed);
        const bool keeps = stopped.hooks != kernel::HookLife::none && observed.applied.hooks == kernel::HookLife::none;
        const bool hints = observed.applied != stopped && (observed.applied != kernel::Applied{} || keeps);
        if (hints && (stops || keeps || !jail.removing)) add(steps, StepKind::record_stopped);
    } else if (const auto begun = begun_record(jail, observed); observed.applied != begun) {
        add(steps, StepKind::record_begun);
    }
    if (shim_alive(observed) && observed.shim->command == CommandState::running) add(steps, StepKind::stop_command);
    for (const auto& link : observed.links) add_link(steps, StepKind::destroy_link, jail, link.id.index);
    if (observed.jail && !observed.jail->dying) add(steps, StepKind::remove_jail, jail.name.text());
    end_hooks(jail, observed, steps);
    for (const auto& one : observed.aliases) add_alias(steps, StepKind::remove_alias, one.alias);
    if (observed.rules && observed.rules->loaded) add(steps, StepKind::remove_firewall, jail.name.text());
    // They outlive the jail, and would be the next one's of that name, whosever it is.
    if (observed.limits && !observed.limits->rules.empty()) add(steps, StepKind::remove_limits, jail.name.text());
    if (shim_alive(observed)) add(steps, StepKind::release);
    plan_unmounts(observed.mounts, steps);
}

bool contains_all(const auto& whole, const auto& part) {
    return std::ranges::all_of(part, [&](const auto& one) { return std::ranges::find(whole, one) != whole.end(); });
}

bool is_on_bridge(const kernel::ObservedLink& link, const kernel::LinkParameters& wanted_link) {
    const bool there =
        wanted_link.bridge.empty() ? link.bridge == wanted_link.network : link.host_bridge == wanted_link.bridge;
    return there && link.isolated == wanted_link.isolated;
}

/// More addresses or routes than ours are the jail's own affair: its root may add them.
bool link_is_whole(const kernel::ObservedLink& link, const kernel::LinkParameters& wanted_link) {
    return link.host_end && link.jail_end && link.up && link.name == wanted_link.name &&
           is_on_bridge(link, wanted_link) && link.mtu == wanted_link.jail_mtu && link.mac == wanted_link.mac &&
           (wanted_link.slaac == kernel::Learns::nothing || link.advertised) &&
           link.client == (wanted_link.dhcp != kernel::Learns::nothing) &&
           contains_all(link.addresses, wanted_link.addresses) && contains_all(link.gateways, wanted_link.gateways);
}

void mend_links(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto wanted_links = link_parameters(desired.jail, desired.networks);
    for (const auto& link : observed.links)
        if (std::ranges::find(wanted_links, link.id, &kernel::LinkParameters::id) == wanted_links.end())
            add_link(steps, StepKind::destroy_link, desired.jail, link.id.index);
    for (const auto& wanted_link : wanted_links) {
        const auto link = std::ranges::find(observed.links, wanted_link.id, &kernel::ObservedLink::id);
        if (link == observed.links.end() || !link_is_whole(*link, wanted_link))
            add_link(steps, StepKind::ensure_link, desired.jail, wanted_link.id.index);
    }
}

/// Given, and not the jail's any more.
bool is_stale(const kernel::ObservedAlias& given, const std::vector<kernel::Alias>& wanted_ones) {
    return std::ranges::find(wanted_ones, given.alias) == wanted_ones.end();
}

/// Before the jail is told of them. One that goes to another interface, or gets another prefix length, leaves its place
/// first.
void mend_aliases(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto wanted_ones = aliases_of(desired.jail);
    const auto address_of = [](const kernel::Alias& one) { return one.address.address; };
    for (const auto& given : observed.aliases)
        if (is_stale(given, wanted_ones) &&
            std::ranges::find(wanted_ones, given.alias.address.address, address_of) != wanted_ones.end())
            add_alias(steps, StepKind::remove_alias, given.alias);
    for (const auto& alias : wanted_ones) {
        const auto given = std::ranges::find(observed.aliases, alias, &kernel::ObservedAlias::alias);
        if (given == observed.aliases.end() || !given->present) add_alias(steps, StepKind::ensure_alias, alias);
    }
}

/// After the jail was told that they are not its own any more.
void drop_aliases(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto wanted_ones = aliases_of(desired.jail);
    for (const auto& given : observed.aliases) {
        const bool dropped = std::ranges::any_of(
            steps, [&](const Step& step) { return step.kind == StepKind::remove_alias && step.alias == given.alias; });
        if (!dropped && is_stale(given, wanted_ones)) add_alias(steps, StepKind::remove_alias, given.alias);
    }
}

/// Whether it has them nobody can say; to be given one again is no harm.
void attach_datasets(const model::Jail& jail, Plan& steps) {
    for (const auto& dataset : jail.spec.datasets) add(steps, StepKind::attach_dataset, dataset);
}

void mend_limits(const model::Jail& jail, const Observed& observed, Plan& steps) {
    if (!limits_differ(jail, observed)) return;
    const bool none = jail.spec.limits.empty() && jail.spec.cpuset.empty();
    add(steps, none ? StepKind::remove_limits : StepKind::ensure_limits, jail.name.text());
}

/// Of a root that is made: a new one is made with it.
void mend_storage(const model::Jail& jail, const Observed& observed, Plan& steps) {
    const auto& storage = observed.storage;
    if (observed.prepared && storage && storage->known && storage->storage != jail.spec.root.storage)
        add(steps, StepKind::set_storage, jail.name.text());
}

/// Before there is a link, and never without them where a policy asks for them.
void mend_rules(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto& rules = observed.rules;
    const auto& name = desired.jail.name.text();
    if (desired.rules && (observed.unfiltered != Unfiltered::no || (rules && !rules->complete)))
        add(steps, StepKind::ensure_firewall, name);
    if (!desired.rules && rules && rules->loaded) add(steps, StepKind::remove_firewall, name);
}

/// Nothing lives there yet: what is not the jail's goes, as it does when a jail is stopped. An earlier try may have
/// left it, for another spec.
std::vector<std::string> strange_mounts(const Desired& desired, const Observed& observed) {
    std::vector<std::string> targets;
    for (const auto& one : observed.mounts)
        if (std::ranges::find(desired.mounts, one.target, &kernel::Mount::target) == desired.mounts.end())
            targets.push_back(one.target);
    std::ranges::reverse(targets);
    return targets;
}

void add_command(const model::JailSpec& spec, Plan& steps) {
    if (!spec.command.empty()) add(steps, StepKind::start_command);
    if (spec.is_system()) add(steps, StepKind::watch_processes);
}

/// A whole start. What a crash left of an earlier try is used where it is there.
void build(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto& spec = desired.jail.spec;
    // First of all: the jail's first instruction is limited already, and one that cannot be is not begun.
    mend_limits(desired.jail, observed, steps);
    mend_rules(desired, observed, steps);
    if (!observed.prepared) add(steps, StepKind::prepare_root);
    mend_storage(desired.jail, observed, steps);
    add(steps, StepKind::refresh_root);
    plan_mounts(desired.mounts, observed.mounts, strange_mounts(desired, observed), steps);
    if (!shim_alive(observed)) add(steps, StepKind::hold);
    const bool goes_on = start_goes_on(desired.jail, observed);
    // What the shim says of the command is the hint's to keep before it is forgotten, if it is about this incarnation;
    // what it says of an earlier one, or of hooks alone, is forgotten first, or it would be taken for this start's
    // after a crash.
    const bool keeps = observed.applied.incarnation >= desired.jail.incarnation && observed.shim &&
                       observed.shim->command != CommandState::none;
    if (!goes_on && !keeps) add(steps, StepKind::reset);
    if (observed.applied != begun_record(desired.jail, observed)) add(steps, StepKind::record_begun);
    if (!goes_on && keeps) add(steps, StepKind::reset);
    mend_aliases(desired, observed, steps);
    drop_aliases(desired, observed, steps);
    if (!goes_on || !observed.shim->hooks_done.contains(model::Hook::prestart))
        add_hook(steps, spec, model::Hook::prestart);
    add(steps, StepKind::create_jail, desired.jail.name.text());
    add_hook(steps, spec, model::Hook::created);
    attach_datasets(desired.jail, steps);
    for (const auto& link : link_parameters(desired.jail, desired.networks))
        add_link(steps, StepKind::ensure_link, desired.jail, link.id.index);
    if (!spec.exec.start.empty()) add(steps, StepKind::exec_start);
    if (!command_spent(desired.jail, observed)) add_command(spec, steps);
    add_hook(steps, spec, model::Hook::poststart);
    add(steps, StepKind::record_done);
}

/// A jail that lives: what was taken from it, what a live change asks for, what a half-made one still needs. Nothing of
/// the user's is run in one that was complete, or may have been: under restart policy `no` that happens once for each
/// start.
void mend(const Desired& desired, const Observed& observed, Plan& steps) {
    const auto& spec = desired.jail.spec;
    mend_limits(desired.jail, observed, steps);
    mend_storage(desired.jail, observed, steps);
    if (change_record(desired.jail, observed)) add(steps, StepKind::record_change);
    plan_mounts(desired.mounts, observed.mounts, stale_mounts(desired.jail, observed), steps);
    mend_aliases(desired, observed, steps);
    if (observed.jail->hostname != hostname_of(desired.jail) || parameters_differ(desired.jail, observed))
        add(steps, StepKind::update_jail, desired.jail.name.text());
    const bool half_made = !observed.applied.complete && !hint_is_lost(observed);
    if (half_made && !observed.shim->start_done && observed.shim->command == CommandState::none)
        add_hook_once(steps, spec, observed, model::Hook::created);
    if (!observed.applied.complete) attach_datasets(desired.jail, steps);
    drop_aliases(desired, observed, steps);
    mend_rules(desired, observed, steps);
    mend_links(desired, observed, steps);
    if (half_made) {
        if (!spec.exec.start.empty() && !observed.shim->start_done && observed.shim->command == CommandState::none)
            add(steps, StepKind::exec_start);
        if (observed.shim->command == CommandState::none && !command_spent(desired.jail, observed))
            add_command(spec, steps);
        add_hook_once(steps, spec, observed, model::Hook::poststart);
    }
    const auto& applied = observed.applied;
    if (!applied.complete || applied.generation != desired.jail.generation ||
        applied.incarnation != desired.jail.incarnation)
        add(steps, StepKind::record_done);
}

Next next_of(const model::Jail& jail, const Observed& observed) {
    return observed.applied.incarnation < jail.incarnation ? Next::fresh : Next::remake;
}

Plan plan_running(const Desired& desired, const Observed& observed) {
    Plan steps;
    const auto now = situation(desired.jail, observed);
    if (now != Situation::absent &&
        (unenforced(desired.jail, observed) || observed.unfiltered == Unfiltered::lasting)) {
        tear_down(desired.jail, observed, Next::remake, steps);
        return steps;
    }
    // In good order: nothing is wrong with it.
    if (left_behind(desired.jail, observed)) {
        tear_down(desired.jail, observed, Next::fresh, steps);
        return steps;
    }
    const auto ended = ended_command(desired.jail, observed);
    const bool restarts = ended && ended->answer == Answer::restart;
    if (restarts && !desired.due && now != Situation::continues) return steps;
    if (now == Situation::continues && ((restarts && desired.due) || is_restarting(desired.jail, observed))) {
        tear_down(desired.jail, observed, Next::remake, steps);
        return steps;
    }
    switch (now) {
        case Situation::absent:
            // What the host was told of the last life comes to its end before another one begins.
            if (hooks_are_due(desired.jail, observed) && !start_goes_on(desired.jail, observed))
                tear_down(desired.jail, observed, next_of(desired.jail, observed), steps);
            else if (desired.waits_for.empty())
                build(desired, observed, steps);
            break;
        case Situation::continues:
            mend(desired, observed, steps);
            break;
        case Situation::anew:
            tear_down(desired.jail, observed, Next::fresh, steps);
            break;
        case Situation::remade:
            tear_down(desired.jail, observed, Next::remake, steps);
            break;
    }
    return steps;
}

/// While it runs what can be done so, then without it. What comes afterwards is a start like any other.
Plan plan_root_change(const model::Jail& jail, const Observed& observed) {
    const auto& change = *jail.root_change;
    Plan steps;
    // Whoever unpacks it says when that is done; there is nothing else of the jail yet.
    if (change.stage == model::RootStage::unpack) return steps;
    if (change.stage == model::RootStage::restore && !observed.staged) {
        add(steps, StepKind::stage_root, change.name);
        return steps;
    }
    tear_down(jail, observed, Next::fresh, steps);
    if (!steps.empty()) return steps;
    if (change.stage == model::RootStage::restore) add(steps, StepKind::restore_root, change.name);
    if (change.stage == model::RootStage::snapshot) add(steps, StepKind::take_snapshot, jail.name.text());
    if (change.stage == model::RootStage::merge) add(steps, StepKind::upgrade_root, change.name);
    return steps;
}

}  // namespace

Plan plan(const Desired& desired, const Observed& observed) {
    Desired held = desired;
    held.jail = effective(desired.jail, observed).jail;
    const bool changes = held.jail.root_change && !held.jail.removing;
    const bool trial = changes && held.jail.root_change->stage == model::RootStage::trial;
    if (changes && !trial) return plan_root_change(held.jail, observed);
    if (wanted(held.jail)) {
        auto steps = plan_running(held, observed);
        if (trial && steps.empty()) add(steps, StepKind::judge_upgrade, held.jail.root_change->name);
        return steps;
    }

    Plan steps;
    if (!desired.needed_by.empty()) return steps;
    tear_down(held.jail, observed, Next::fresh, steps);
    // One that should not run cannot be tried.
    if (trial && steps.empty()) add(steps, StepKind::judge_upgrade, held.jail.root_change->name);
    if (!held.jail.removing) return steps;
    if (observed.directory) add(steps, StepKind::remove_root);
    // One that was just removed may be dying, and is residue until it is gone: the name is free when nothing was seen.
    if (!observed.jail) add(steps, StepKind::forget, held.jail.name.text());
    return steps;
}

bool is_restart(const Desired& desired, const Observed& observed) {
    const auto ended = ended_command(effective(desired.jail, observed).jail, observed);
    return desired.due && ended && ended->answer == Answer::restart;
}

bool is_drift(const Desired& desired, const Observed& observed) {
    const auto& applied = observed.applied;
    if (left_behind(effective(desired.jail, observed).jail, observed)) return false;
    return !is_restart(desired, observed) && wanted(desired.jail) && applied.complete &&
           applied.generation == desired.jail.generation && applied.incarnation == desired.jail.incarnation;
}

}  // namespace jaild::reconcile
