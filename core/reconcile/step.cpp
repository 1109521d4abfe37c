#include <utility>

#include "core/reconcile/plan.h"

namespace jaild::reconcile {

std::string_view to_string(StepKind kind) {
    switch (kind) {
        case StepKind::stage_root:
            return "stage_root";
        case StepKind::restore_root:
            return "restore_root";
        case StepKind::take_snapshot:
            return "take_snapshot";
        case StepKind::upgrade_root:
            return "upgrade_root";
        case StepKind::judge_upgrade:
            return "judge_upgrade";
        case StepKind::prepare_root:
            return "prepare_root";
        case StepKind::refresh_root:
            return "refresh_root";
        case StepKind::set_storage:
            return "set_storage";
        case StepKind::mount:
            return "mount";
        case StepKind::unmount:
            return "unmount";
        case StepKind::hold:
            return "hold";
        case StepKind::reset:
            return "reset";
        case StepKind::ensure_limits:
            return "ensure_limits";
        case StepKind::remove_limits:
            return "remove_limits";
        case StepKind::record_begun:
            return "record_begun";
        case StepKind::exec_prestart:
            return "exec_prestart";
        case StepKind::create_jail:
            return "create_jail";
        case StepKind::exec_created:
            return "exec_created";
        case StepKind::attach_dataset:
            return "attach_dataset";
        case StepKind::record_change:
            return "record_change";
        case StepKind::ensure_alias:
            return "ensure_alias";
        case StepKind::remove_alias:
            return "remove_alias";
        case StepKind::update_jail:
            return "update_jail";
        case StepKind::ensure_firewall:
            return "ensure_firewall";
        case StepKind::remove_firewall:
            return "remove_firewall";
        case StepKind::ensure_link:
            return "ensure_link";
        case StepKind::exec_start:
            return "exec_start";
        case StepKind::start_command:
            return "start_command";
        case StepKind::watch_processes:
            return "watch_processes";
        case StepKind::exec_poststart:
            return "exec_poststart";
        case StepKind::record_done:
            return "record_done";
        case StepKind::exec_prestop:
            return "exec_prestop";
        case StepKind::exec_stop:
            return "exec_stop";
        case StepKind::detach_dataset:
            return "detach_dataset";
        case StepKind::record_stopped:
            return "record_stopped";
        case StepKind::stop_command:
            return "stop_command";
        case StepKind::destroy_link:
            return "destroy_link";
        case StepKind::remove_jail:
            return "remove_jail";
        case StepKind::exec_poststop:
            return "exec_poststop";
        case StepKind::record_poststop:
            return "record_poststop";
        case StepKind::release:
            return "release";
        case StepKind::remove_root:
            return "remove_root";
        case StepKind::forget:
            return "forget";
        case StepKind::ensure_bridge:
            return "ensure_bridge";
        case StepKind::enable_forwarding:
            return "enable_forwarding";
        case StepKind::apply_rules:
            return "apply_rules";
        case StepKind::remove_rules:
            return "remove_rules";
        case StepKind::remove_bridge:
            return "remove_bridge";
    }
    std::unreachable();
}

StepKind step_of(model::Hook hook) {
    switch (hook) {
        case model::Hook::prestart:
            return StepKind::exec_prestart;
        case model::Hook::created:
            return StepKind::exec_created;
        case model::Hook::poststart:
            return StepKind::exec_poststart;
        case model::Hook::prestop:
            return StepKind::exec_prestop;
        case model::Hook::poststop:
            return StepKind::exec_poststop;
    }
    std::unreachable();
}

std::optional<model::Hook> hook_of(StepKind kind) {
    for (const auto hook : model::kHooks)
        if (step_of(hook) == kind) return hook;
    return std::nullopt;
}

std::vector<std::string_view> failpoints() {
    std::vector<std::string_view> names{kSettle};
    for (int kind = 0; kind <= std::to_underlying(StepKind::remove_bridge); ++kind)
        names.push_back(to_string(static_cast<StepKind>(kind)));
    return names;
}

std::string Step::to_string() const {
    std::string text(reconcile::to_string(kind));
    if (!object.empty()) text.append(" ").append(object);
    if (!source.empty()) text.append(" (").append(source).append(")");
    return text;
}

}  // namespace jaild::reconcile
