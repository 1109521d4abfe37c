#include "core/reconcile/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/reconcile/effective.h"
#include "core/reconcile/observe.h"

namespace jaild::reconcile {
namespace {

constexpr Milliseconds kRemovalTimeout{60'000};
/// Millions of files take their time to be deleted; that is no call that hangs.
constexpr Milliseconds kRootPatience{std::chrono::hours{1}};

struct Context {
    kernel::Kernel& kernel;
    const Desired& desired;
    const Observed& observed;
};

kernel::JailParameters jail_parameters(const model::Jail& jail) {
    return {.id = jail.id,
            .name = jail.name,
            .hostname = hostname_of(jail),
            .mode = jail.spec.network.mode,
            .devfs_ruleset = jail.spec.devfs_ruleset,
            .devices = jail.spec.devices,
            .parameters = kernel_parameters(jail),
            .cpus = jail.spec.cpuset,
            .limits = jail.spec.limits};
}

Result<void> record_change(const Context& context) {
    const auto record = change_record(context.desired.jail, context.observed);
    return record ? context.kernel.jails().record(context.desired.jail.id, *record) : Result<void>{};
}

Result<void> update_jail(const Context& context) {
    auto parameters = jail_parameters(context.desired.jail);
    parameters.parameters = model::live_parameters(parameters.parameters);
    return context.kernel.jails().update(parameters);
}

/// The shim speaks of the fields of a Program; the user wrote a spec. `argv` is where its argv is in there.
Result<void> in_spec(Result<void> done, std::string_view argv) {
    if (done) return done;
    std::string& field = done.error().field;
    const auto move = [&field](std::string_view from, std::string_view to) {
        if (!field.starts_with(from)) return false;
        field.replace(0, from.size(), to);
        return true;
    };
    move("/argv", argv) || move("/environment", "/exec/env") || move("/user", "/exec/user") ||
        move("/directory", "/exec/directory");
    return done;
}

/// How long a program of the user's may take to end the jail. Whoever removes one does not wait a day for it.
Milliseconds stop_timeout(const model::Jail& jail) {
    const auto asked = jail.spec.exec.timeout;
    return jail.removing ? std::min(asked, kRemovalTimeout) : asked;
}

Result<void> refresh_root(const Context& context) {
    auto parameters = root_parameters(context.desired.jail);
    parameters.neighbours = context.desired.neighbours;
    for (const auto& network : context.desired.networks) {  // the first that has some
        if (parameters.nameservers.empty()) parameters.nameservers = network.nameservers;
        if (parameters.search.empty()) parameters.search = network.search;
    }
    return context.kernel.roots().refresh(parameters);
}

Result<void> create_jail(const Context& context) {
    return context.kernel.jails().create(jail_parameters(context.desired.jail));
}

Result<void> attach_dataset(const Context& context, const std::string& dataset) {
    const auto& jail = context.desired.jail;
    auto done = context.kernel.delegations().attach(jail.id, dataset);
    const auto& all = jail.spec.datasets;
    if (!done) done.error().field = fmt::format("/datasets/{}", std::ranges::find(all, dataset) - all.begin());
    return done;
}

Result<void> ensure_link(const Context& context, unsigned interface) {
    return context.kernel.links().ensure(link_parameters(context.desired.jail, context.desired.networks).at(interface));
}

Result<void> ensure_firewall(const Context& context) {
    if (confined(context.desired.jail))
        if (auto enforced = enforceable(context.kernel.firewall(), *context.desired.rules); !enforced) return enforced;
    return context.kernel.firewall().apply(*context.desired.rules);
}

Result<void> exec_start(const Context& context) {
    const auto& jail = context.desired.jail;
    const auto& exec = jail.spec.exec;
    return in_spec(context.kernel.processes().run(jail.id, program_of(jail, exec.start), exec.timeout, true),
                   "/exec/start");
}

Result<void> exec_stop(const Context& context) {
    const auto& jail = context.desired.jail;
    const auto& exec = jail.spec.exec;
    return in_spec(context.kernel.processes().run(jail.id, program_of(jail, exec.stop), stop_timeout(jail), false),
                   "/exec/stop");
}

/// Who looks at a jail by its kernel finds it so; before it is made there is nothing to tell.
Result<kernel::HostProgram> hook_program(const Context& context, model::Hook hook) {
    const auto& jail = context.desired.jail;
    kernel::HostProgram program{.argv = jail.spec.exec.hooks.at(hook),
                                .environment = {{"JAIL_NAME", jail.name.text()}}};
    if (hook == model::Hook::prestart || hook == model::Hook::poststop) return program;
    const auto seen = context.kernel.jails().list(jail.id);
    if (!seen) return std::unexpected(seen.error());
    for (const auto& one : *seen) {
        if (one.id != jail.id || !one.alive) continue;
        if (one.jid != 0) program.environment["JAIL_ID"] = std::to_string(one.jid);
        if (one.pid != 0) program.environment["JAIL_PID"] = std::to_string(one.pid);
    }
    return program;
}

Result<void> run_hook(const Context& context, model::Hook hook) {
    const auto& jail = context.desired.jail;
    const auto program = hook_program(context, hook);
    if (!program) return std::unexpected(program.error());
    const auto timeout = model::is_of_start(hook) ? jail.spec.exec.timeout : stop_timeout(jail);
    auto done = context.kernel.processes().run_hook(jail.id, hook, *program, timeout);
    if (!done && done.error().reason == kernel::kHookNotExecuted)
        done.error().field = fmt::format("/exec/{}/0", model::to_string(hook));
    return done;
}

/// It has run: nothing of that life is due any more, whatever the hint says beside it.
Result<void> record_poststop(const Context& context) {
    auto& jails = context.kernel.jails();
    auto applied = jails.applied(context.desired.jail.id);
    if (!applied) return std::unexpected(applied.error());
    if (applied->hooks == kernel::HookLife::none) return {};
    applied->hooks = kernel::HookLife::none;
    return jails.record(context.desired.jail.id, *applied);
}

Result<void> start_command(const Context& context) {
    const auto& jail = context.desired.jail;
    return in_spec(context.kernel.processes().start_command(jail.id, program_of(jail, jail.spec.command)), "/command");
}

Error no_step_of(std::string_view whose, const Step& step) {
    return {.code = Errc::corrupt,
            .op = "apply",
            .sys = 0,
            .detail = step.to_string() + " is no step of a " + std::string(whose),
            .reason = {},
            .field = {},
            .remedy = {}};
}

}  // namespace

kernel::Program program_of(const model::Jail& jail, const std::vector<std::string>& argv) {
    const auto& exec = jail.spec.exec;
    kernel::Program made{.argv = argv, .environment = {}, .user = exec.user, .directory = exec.directory};
    for (const auto& [name, value] : exec.env) made.environment.emplace(name, value.value);
    return made;
}

Result<void> apply(kernel::Kernel& kernel, const Desired& desired, const Observed& observed, const Step& step) {
    const Context context{.kernel = kernel, .desired = desired, .observed = observed};
    const auto& jail = desired.jail;
    switch (step.kind) {
        case StepKind::stage_root:
            return kernel.snapshots().stage(restoration_of(jail));
        case StepKind::restore_root:
            return kernel.snapshots().restore(restoration_of(jail));
        case StepKind::take_snapshot: {
            auto taken = kernel.snapshots().take({.jail = jail.id, .id = jail.root_change->from}, {});
            return taken ? Result<void>{} : std::unexpected(taken.error());
        }
        case StepKind::prepare_root:
            return kernel.roots().prepare(root_parameters(jail));
        case StepKind::refresh_root:
            return refresh_root(context);
        case StepKind::set_storage:
            return kernel.roots().set_storage(jail.id, jail.spec.root.storage);
        case StepKind::mount:
            return kernel.mounts().mount(jail.id, *step.mount);
        case StepKind::unmount:
            return kernel.mounts().unmount(jail.id, step.object);
        case StepKind::hold:
            return kernel.processes().hold(jail.id);
        case StepKind::reset:
            return kernel.processes().reset(jail.id);
        case StepKind::ensure_limits:
            return kernel.limits().ensure(limit_subject(jail), jail.spec.limits);
        case StepKind::remove_limits:
            return kernel.limits().remove(limit_subject(jail));
        case StepKind::record_begun:
            return kernel.jails().record(jail.id, begun_record(jail, observed));
        case StepKind::create_jail:
            return create_jail(context);
        case StepKind::attach_dataset:
            return attach_dataset(context, step.object);
        case StepKind::detach_dataset:
            return kernel.delegations().detach(jail.id, step.object);
        case StepKind::record_change:
            return record_change(context);
        case StepKind::ensure_alias:
            return kernel.links().ensure_alias(jail.id, *step.alias);
        case StepKind::remove_alias:
            return kernel.links().remove_alias(jail.id, *step.alias);
        case StepKind::update_jail:
            return update_jail(context);
        case StepKind::ensure_firewall:
            return ensure_firewall(context);
        case StepKind::remove_firewall:
            return kernel.firewall().remove(jail.id);
        case StepKind::ensure_link:
            return ensure_link(context, step.interface);
        case StepKind::exec_start:
            return exec_start(context);
        case StepKind::start_command:
            return start_command(context);
        case StepKind::watch_processes:
            return kernel.processes().watch_all(jail.id);
        case StepKind::record_done:
            return kernel.jails().record(jail.id, done_record(jail, observed));
        case StepKind::exec_stop:
            return exec_stop(context);
        case StepKind::record_stopped:
            return kernel.jails().record(jail.id, stopped_record(jail, observed));
        case StepKind::exec_prestart:
        case StepKind::exec_created:
        case StepKind::exec_poststart:
        case StepKind::exec_prestop:
        case StepKind::exec_poststop:
            return run_hook(context, *hook_of(step.kind));
        case StepKind::record_poststop:
            return record_poststop(context);
        case StepKind::stop_command:
            return kernel.processes().stop_command(jail.id, stop_timeout(jail));
        case StepKind::destroy_link:
            return kernel.links().destroy({.jail = jail.id, .index = step.interface});
        case StepKind::remove_jail:
            return kernel.jails().remove(jail.id);
        case StepKind::release:
            return kernel.processes().release(jail.id);
        case StepKind::remove_root:
            return kernel.roots().remove(jail.id);
        default:
            return std::unexpected(no_step_of("jail", step));
    }
}

Result<void> apply(kernel::Kernel& kernel, const model::Network& network, const Step& step) {
    switch (step.kind) {
        case StepKind::ensure_bridge:
            return kernel.links().ensure_bridge(network);
        case StepKind::enable_forwarding:
            return kernel.links().enable_forwarding(step.object == "ipv6" ? Family::ipv6 : Family::ipv4);
        case StepKind::apply_rules:
            return kernel.firewall().apply(network);
        case StepKind::remove_rules:
            return kernel.firewall().remove(network.id);
        case StepKind::remove_bridge:
            return kernel.links().remove_bridge(network.id);
        default:
            return std::unexpected(no_step_of("network", step));
    }
}

bool writes_files(StepKind kind) {
    switch (kind) {
        case StepKind::stage_root:
        case StepKind::restore_root:
        case StepKind::take_snapshot:
        case StepKind::upgrade_root:
        case StepKind::prepare_root:
        case StepKind::refresh_root:
        case StepKind::hold:
        case StepKind::record_begun:
        case StepKind::record_change:
        case StepKind::record_done:
        case StepKind::record_stopped:
        case StepKind::record_poststop:
            return true;
        default:
            return false;
    }
}

Milliseconds allowance(const Desired& desired, const Step& step) {
    switch (step.kind) {
        case StepKind::exec_prestart:
        case StepKind::exec_created:
        case StepKind::exec_poststart:
        case StepKind::exec_start:
            return desired.jail.spec.exec.timeout;
        case StepKind::exec_prestop:
        case StepKind::exec_poststop:
        case StepKind::exec_stop:
        case StepKind::stop_command:
            return stop_timeout(desired.jail);
        case StepKind::prepare_root:
            return desired.jail.base ? kRootPatience : Milliseconds{0};
        case StepKind::stage_root:
        case StepKind::restore_root:
        case StepKind::take_snapshot:
        case StepKind::upgrade_root:
        case StepKind::remove_root:
            return kRootPatience;
        default:
            return Milliseconds{0};
    }
}

}  // namespace jaild::reconcile
