#include "tests/unit/reconcile/toy.h"

#include <algorithm>

namespace jaild::reconcile_test {

using kernel::CommandState;

model::Network default_network() {
    return {.id = NetworkId{1},
            .name = value_of(model::Name::parse("default")),
            .ipv4 = value_of(Prefix::parse("10.213.0.0/24")),
            .ipv6 = value_of(Prefix::parse("fd00:213::/64"))};
}

Desired wanted_web() {
    model::Jail jail{.id = JailId{1},
                     .name = value_of(model::Name::parse("web")),
                     .spec = {},
                     .created_at = {},
                     .interfaces = {{.network = NetworkId{1},
                                     .addresses = {value_of(Prefix::parse("10.213.0.2/24")),
                                                   value_of(Prefix::parse("fd00:213::2/64"))}}},
                     .status = {}};
    return {.jail = std::move(jail),
            .mounts = {{.source = "/usr", .target = "root/usr", .read_only = true},
                       {.kind = kernel::MountKind::devfs, .target = "root/dev"}},
            .networks = {default_network()}};
}

Desired wanted_on_two_networks() {
    auto desired = wanted_web();
    auto lab = default_network();
    lab.id = NetworkId{2};
    lab.name = value_of(model::Name::parse("lab"));
    lab.ipv4 = value_of(Prefix::parse("10.99.0.0/24"));
    lab.ipv6 = value_of(Prefix::parse("fd99::/64"));
    desired.jail.spec.network.interfaces.push_back({.network = "lab", .addresses = {}});
    desired.jail.interfaces.push_back(
        {.network = lab.id,
         .addresses = {value_of(Prefix::parse("10.99.0.2/24")), value_of(Prefix::parse("fd99::2/64"))}});
    desired.networks.push_back(lab);
    return desired;
}

Desired stopped(Desired desired) {
    desired.jail.spec.running = false;
    desired.jail.generation++;
    return desired;
}

Desired removed(Desired desired) {
    desired.jail.removing = true;
    return desired;
}

Desired restarted(Desired desired) {
    desired.jail.incarnation++;
    return desired;
}

Desired changed(Desired desired, const std::function<void(model::JailSpec&)>& change) {
    change(desired.jail.spec);
    desired.jail.generation++;
    return desired;
}

Steps texts(const Plan& plan) {
    Steps lines;
    for (const auto& step : plan) lines.push_back(step.to_string());
    return lines;
}

bool contains(const Steps& steps, const std::string& step) {
    return std::ranges::find(steps, step) != steps.end();
}

bool Toy::mounted(const std::string& target) const {
    return std::ranges::find(observed.mounts, target, &kernel::ObservedMount::target) != observed.mounts.end();
}

void Toy::unmount(const std::string& target) {
    const auto beneath = std::ranges::any_of(
        observed.mounts, [&](const kernel::ObservedMount& one) { return one.target.starts_with(target + "/"); });
    REQUIRE_FALSE(beneath);
    for (auto one = observed.mounts.rbegin(); one != observed.mounts.rend(); ++one) {
        if (one->target != target) continue;
        observed.mounts.erase(std::next(one).base());
        return;
    }
}

void Toy::build(const Desired& desired, const Observed& before, const Step& step) {
    switch (step.kind) {
        case StepKind::prepare_root:
            REQUIRE_FALSE(lives());
            observed.directory = observed.prepared = true;
            return;
        case StepKind::refresh_root:
            REQUIRE(observed.prepared);
            REQUIRE_FALSE(lives());
            return;
        case StepKind::mount:
            REQUIRE(observed.prepared);
            observed.mounts.push_back(
                {.id = desired.jail.id, .target = step.mount->target, .read_only = step.mount->read_only});
            return;
        case StepKind::hold:
            REQUIRE(observed.directory);
            REQUIRE_FALSE(lives());
            if (!observed.shim) observed.shim = kernel::ObservedShim{.id = desired.jail.id, .last_exit = {}};
            if (observed.shim->command == CommandState::running) end_command();
            observed.shim->alive = true;
            observed.shim->hooks_done.clear();
            return;
        case StepKind::record_begun:
            observed.applied = begun_record(desired.jail, before);
            return;
        case StepKind::reset:
            REQUIRE(observed.shim->alive);
            REQUIRE(observed.shim->command != CommandState::running);
            // The hint is first, unless it is about an earlier incarnation, or no command was begun.
            REQUIRE_FALSE((observed.applied.complete && observed.applied.incarnation == desired.jail.incarnation &&
                           observed.shim->command != CommandState::none));
            observed.shim->command = CommandState::none;
            observed.shim->start_done = false;
            observed.shim->hooks_done.clear();
            return;
        case StepKind::create_jail:
            REQUIRE((!observed.jail || observed.jail->dying));
            REQUIRE(observed.shim->alive);
            REQUIRE(observed.applied.incarnation == desired.jail.incarnation);
            for (const auto& mount : desired.mounts) REQUIRE(mounted(mount.target));
            // Its first instruction is limited already, and by nothing that another jail of its name left.
            if (observed.limits) REQUIRE(observed.limits->rules == model::rules_of(desired.jail.spec.limits));
            observed.jail = kernel::ObservedJail{.id = desired.jail.id,
                                                 .name = "web",
                                                 .alive = true,
                                                 .hostname = hostname_of(desired.jail),
                                                 .parameters = kernel_parameters(desired.jail)};
            for (const auto& alias : aliases_of(desired.jail))
                REQUIRE(std::ranges::find(observed.aliases, alias, &kernel::ObservedAlias::alias) !=
                        observed.aliases.end());
            return;
        case StepKind::ensure_limits:
            REQUIRE(observed.limits->supported);
            observed.limits->rules = model::rules_of(desired.jail.spec.limits);
            return;
        default:
            FAIL("unexpected " << step.to_string());
    }
}

void Toy::run(const Desired& desired, const Step& step) {
    REQUIRE(lives());
    if (step.kind == StepKind::ensure_link) {
        const auto wanted_link = link_parameters(desired.jail, desired.networks).at(step.interface);
        REQUIRE(step.object == wanted_link.name);
        std::erase_if(observed.links, [&](const auto& one) { return one.id == wanted_link.id; });
        observed.links.push_back({.id = wanted_link.id,
                                  .host_end = true,
                                  .jail_end = true,
                                  .name = wanted_link.name,
                                  .up = true,
                                  .bridge = wanted_link.network,
                                  .addresses = wanted_link.addresses,
                                  .gateways = wanted_link.gateways,
                                  .mtu = wanted_link.jail_mtu,
                                  .mac = wanted_link.mac,
                                  .advertised = wanted_link.slaac != kernel::Learns::nothing,
                                  .client = wanted_link.dhcp != kernel::Learns::nothing});
        std::ranges::sort(observed.links, {}, &kernel::ObservedLink::id);
        return;
    }
    REQUIRE(observed.shim->alive);
    if (step.kind == StepKind::exec_stop) {
        REQUIRE(observed.applied.complete);
        stop_runs++;
        return;
    }
    REQUIRE((observed.links.size() == desired.jail.interfaces.size() ||
             desired.jail.spec.network.mode == model::NetworkMode::none));
    REQUIRE(observed.shim->command == CommandState::none);
    if (step.kind == StepKind::exec_start) {
        REQUIRE_FALSE(observed.shim->start_done);
        observed.shim->start_done = true;
        start_runs++;
        return;
    }
    REQUIRE((desired.jail.spec.exec.start.empty() || observed.shim->start_done));
    REQUIRE((step.kind == StepKind::watch_processes) == desired.jail.spec.is_system());
    observed.shim->command = CommandState::running;
    if (step.kind == StepKind::start_command) command_runs++;
}

/// Each at its place in the jail's life, and poststop between two of them.
void Toy::run_hook(model::Hook hook) {
    REQUIRE(observed.shim->alive);
    const bool around = hook == model::Hook::prestart || hook == model::Hook::poststop;
    REQUIRE(lives() != around);
    if (model::is_of_start(hook)) REQUIRE(observed.applied.hooks == kernel::HookLife::begun);
    if (hook == model::Hook::prestart) REQUIRE(hooks.size() == hooks.count(model::Hook::prestart));
    if (hook == model::Hook::created) REQUIRE(observed.shim->command == CommandState::none);
    if (hook == model::Hook::prestop) REQUIRE(observed.applied.complete);
    hooks.insert(hook);
    if (hook == model::Hook::poststop) hooks.clear();
    if (model::is_of_start(hook)) observed.shim->hooks_done.insert(hook);
}

void Toy::take_down(const Desired& desired, const Observed& before, const Step& step) {
    switch (step.kind) {
        case StepKind::record_stopped:
            observed.applied = stopped_record(desired.jail, before);
            return;
        case StepKind::record_poststop:
            // By its poststop, unless its row has none any more.
            if (desired.jail.spec.exec.hooks.contains(model::Hook::poststop)) REQUIRE(hooks.empty());
            hooks.clear();
            observed.applied.hooks = kernel::HookLife::none;
            return;
        case StepKind::stop_command:
            end_command();
            return;
        case StepKind::destroy_link:
            std::erase_if(observed.links, [&](const auto& one) { return one.id.index == step.interface; });
            return;
        case StepKind::remove_jail:
            REQUIRE(observed.links.empty());
            observed.jail.reset();
            observed.unhealthy.reset();
            if (observed.shim && observed.shim->command == CommandState::running) end_command();
            return;
        case StepKind::remove_limits:
            observed.limits->rules.clear();
            return;
        case StepKind::release:
            REQUIRE_FALSE(lives());
            observed.shim->alive = false;
            return;
        case StepKind::unmount:
            unmount(step.object);
            return;
        case StepKind::remove_root:
            REQUIRE((!observed.jail || observed.jail->dying));
            REQUIRE(observed.mounts.empty());
            REQUIRE_FALSE(shim_alive(observed));
            REQUIRE(hooks.empty());
            observed.shim.reset();
            observed.applied = {};
            observed.directory = observed.prepared = false;
            return;
        case StepKind::forget:
            REQUIRE(observed.mounts.empty());
            REQUIRE_FALSE(observed.directory);
            REQUIRE_FALSE(observed.jail);
            REQUIRE((!observed.limits || observed.limits->rules.empty()));
            row = false;
            return;
        default:
            FAIL("unexpected " << step.to_string());
    }
}

void Toy::apply(const Desired& desired, const Observed& before, const Step& step) {
    INFO("step " << step.to_string());
    switch (step.kind) {
        case StepKind::ensure_link:
        case StepKind::exec_start:
        case StepKind::start_command:
        case StepKind::watch_processes:
        case StepKind::exec_stop:
            return run(desired, step);
        case StepKind::attach_dataset:
            REQUIRE(lives());
            datasets.insert(step.object);
            return;
        case StepKind::detach_dataset:
            REQUIRE(lives());
            datasets.erase(step.object);
            return;
        case StepKind::ensure_alias:
            std::erase_if(observed.aliases, [&](const auto& one) { return one.alias == *step.alias; });
            observed.aliases.push_back({.alias = *step.alias, .present = true});
            return;
        case StepKind::remove_alias:
            REQUIRE(std::erase_if(observed.aliases, [&](const auto& one) { return one.alias == *step.alias; }) == 1);
            return;
        case StepKind::update_jail:
            REQUIRE(lives());
            for (const auto& [name, value] : kernel_parameters(desired.jail))
                if (name == "ip4.addr" || name == "ip6.addr") observed.jail->parameters[name] = value;
            observed.jail->hostname = hostname_of(desired.jail);
            for (const auto& [name, value] : model::live_parameters(desired.jail.spec.parameters)) {
                // Whatever happens next, the hint knows that only a restart takes it away.
                REQUIRE((hint_is_lost(before) || change_record(desired.jail, observed) == std::nullopt));
                observed.jail->parameters[name] = value;
            }
            return;
        case StepKind::record_change:
            observed.applied = change_record(desired.jail, before).value();
            return;
        case StepKind::record_done:
            REQUIRE(lives());
            observed.applied = done_record(desired.jail, before);
            return;
        case StepKind::exec_prestart:
        case StepKind::exec_created:
        case StepKind::exec_poststart:
        case StepKind::exec_prestop:
        case StepKind::exec_poststop:
            return run_hook(*hook_of(step.kind));
        case StepKind::record_stopped:
        case StepKind::record_poststop:
        case StepKind::stop_command:
        case StepKind::destroy_link:
        case StepKind::remove_jail:
        case StepKind::remove_limits:
        case StepKind::release:
        case StepKind::unmount:
        case StepKind::remove_root:
        case StepKind::forget:
            return take_down(desired, before, step);
        default:
            return build(desired, before, step);
    }
}

Steps Toy::do_once(const Desired& desired, std::size_t count) {
    Desired held = desired;
    held.jail = effective(desired.jail, observed).jail;
    const Observed before = observed;
    Plan steps = plan(desired, before);
    if (steps.size() > count) steps.resize(count);
    for (const auto& step : steps) apply(held, before, step);
    return texts(steps);
}

Steps Toy::converge(const Desired& desired) {
    Steps all;
    for (int round = 0; row && !plan(desired, observed).empty(); ++round) {
        const auto done = do_once(desired);
        all.insert(all.end(), done.begin(), done.end());
        INFO("last: " << done.back());
        REQUIRE(round < 6);
    }
    return all;
}

Toy Toy::running(const Desired& desired) {
    Toy toy;
    toy.converge(desired);
    return toy;
}

void Toy::end_command(int exit_code, Milliseconds ran) {
    if (!observed.shim || observed.shim->command != CommandState::running) return;
    observed.shim->command = CommandState::exited;
    observed.shim->last_exit =
        model::LastExit{.exit_code = exit_code, .signal = 0, .reason = "exited", .at = {++now}, .ran = ran};
}

void Toy::kill_jail() {
    observed.jail->alive = false;
    observed.jail->hostname.clear();
    if (observed.shim->alive) end_command();
}

void Toy::lose_jail() {
    observed.jail.reset();
    observed.links.clear();
    if (observed.shim->alive) end_command();
}

void Toy::kill_shim() {
    observed.shim->alive = false;
}

void Toy::reboot() {
    observed.shim->alive = false;
    observed.jail.reset();
    observed.links.clear();
    observed.mounts.clear();
}

}  // namespace jaild::reconcile_test
