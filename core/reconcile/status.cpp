#include "core/reconcile/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

using model::Condition;
using model::JailState;

bool has_runtime(const Observed& observed) {
    return observed.jail || !observed.links.empty() || shim_alive(observed) || !observed.mounts.empty() ||
           !observed.aliases.empty();
}

JailState state_of(const Findings& findings) {
    const auto& observed = findings.observed;
    if (findings.failure) return JailState::failed;
    if (findings.row.unpacking()) return JailState::importing;
    if (wanted(findings.row)) {
        if (!alive(observed) || !observed.applied.complete) return JailState::starting;
        const bool anew = situation(findings.row, observed) != Situation::continues;
        return anew ? JailState::starting : JailState::running;
    }
    if (observed.jail && observed.jail->dying) return JailState::dying;
    if (has_runtime(observed) || findings.row.removing) return JailState::stopping;
    return JailState::stopped;
}

std::string_view camel_case(JailState state) {
    switch (state) {
        case JailState::importing:
            return "Importing";
        case JailState::stopped:
            return "Stopped";
        case JailState::starting:
            return "Starting";
        case JailState::running:
            return "Running";
        case JailState::stopping:
            return "Stopping";
        case JailState::failed:
            return "Failed";
        case JailState::dying:
            return "Dying";
    }
    return "Failed";
}

Condition ready(const Findings& findings, JailState state) {
    Condition condition{.type = "Ready",
                        .status = state == JailState::running,
                        .reason = std::string(camel_case(state)),
                        .message = {},
                        .since = findings.now};
    if (findings.failure) {
        condition.reason = findings.failure->error.name();
        condition.message = message_of(*findings.failure);
        return condition;
    }
    if (state == JailState::dying)
        condition.message =
            "removed, but something refers to it still (an open socket can, for minutes): it goes by itself";
    else if (state == JailState::importing)
        condition.message = "its root is unpacked from an archive; until that is done nobody starts it";
    else if (findings.halting)
        condition.message = "the host goes down: what should run is started again when jaild is";
    return condition;
}

std::string_view reason_of(const model::LastExit& exit) {
    if (exit.reason == "lost") return "Lost";
    if (exit.reason == "failed_to_start") return "FailedToStart";
    return exit.signal != 0 ? "Signaled" : "Exited";
}

std::optional<Condition> command_ended(const Findings& findings, const model::JailStatus& status) {
    const auto& observed = findings.observed;
    const auto held = effective(findings.row, observed).jail;
    if (status.state != JailState::running || held.spec.command.empty()) return std::nullopt;
    const bool ended = observed.shim && observed.shim->command == kernel::CommandState::exited;
    if (!ended && !command_spent(held, observed)) return std::nullopt;

    Condition condition{
        .type = "CommandEnded", .status = true, .reason = "Exited", .message = {}, .since = findings.now};
    std::string how = "the command ended";
    if (status.last_exit) {
        condition.reason = reason_of(*status.last_exit);
        if (condition.reason == "Exited")
            how = fmt::format("the command exited with code {}", status.last_exit->exit_code);
        if (condition.reason == "Signaled")
            how = fmt::format("the command was ended by signal {}", status.last_exit->signal);
        if (condition.reason == "Lost") how = "the command was lost with the process that held it";
        if (condition.reason == "FailedToStart") how = "the command could not be executed";
    }
    condition.message = how + "; restart policy \"no\" does not run it again: restart the jail for that";
    return condition;
}

/// What its interfaces were to learn from their networks, and have not: "vnet0 has no IPv6 address yet: …".
std::string not_learned(const Findings& findings) {
    const auto jail = effective(findings.row, findings.observed).jail;
    const auto& asked = jail.spec.network.interfaces;
    std::string missing;
    for (unsigned index = 0; index < asked.size(); ++index) {
        const auto& links = findings.observed.links;
        const auto link = std::ranges::find(links, index, [](const auto& one) { return one.id.index; });
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            const auto of_it = [&](const Prefix& one) { return one.address.family == family; };
            const bool has = link != links.end() && std::ranges::any_of(link->addresses, of_it);
            if (!asked[index].learns(family) || has) continue;
            if (!missing.empty()) missing += "; ";
            missing += fmt::format("{} has no {} address yet: no {} on network {} has given it one",
                                   interface_name(jail, index), family == Family::ipv4 ? "IPv4" : "IPv6",
                                   family == Family::ipv4 ? "DHCP server" : "router", asked[index].network);
        }
    }
    return missing;
}

std::vector<Condition> conditions_of(const Findings& findings, const model::JailStatus& status) {
    std::vector<Condition> found{ready(findings, status.state)};
    const auto add = [&](std::string type, std::string reason, std::string message) {
        found.push_back({.type = std::move(type),
                         .status = true,
                         .reason = std::move(reason),
                         .message = std::move(message),
                         .since = findings.now});
    };
    if (const auto waiting = effective(findings.row, findings.observed).waiting;
        wanted(findings.row) && !waiting.empty()) {
        add("RestartRequired", "SpecChanged", fmt::format("restart the jail to apply {}", fmt::join(waiting, ", ")));
    }
    if (auto ended = command_ended(findings, status)) found.push_back(*std::move(ended));
    if (findings.failure && findings.failure->error.reason == "name_in_use")
        add("NameTaken", "NameInUse", message_of(*findings.failure));
    if (findings.failure && findings.failure->error.reason == "limits_unsupported")
        add("LimitsNotEnforced", "LimitsUnsupported", message_of(*findings.failure));
    if (findings.failure && confined(findings.row) && findings.failure->step.starts_with("ensure_firewall"))
        add("FirewallNotEnforced", std::string(findings.failure->error.name()), message_of(*findings.failure));
    if (!wanted(findings.row) || status.state == JailState::stopped) return found;
    if (auto missing = not_learned(findings); status.state == JailState::running && !missing.empty())
        add("AddressMissing", "NotLearned", std::move(missing));
    if (findings.publish_missing) {
        add("PublishMissing", std::string(findings.publish_missing->name()),
            message_of({.step = "the jail's published ports lead nowhere", .error = *findings.publish_missing}));
    }
    if (findings.nat_missing) {
        add("NatMissing", std::string(findings.nat_missing->name()),
            message_of({.step = "the jail reaches its own network only", .error = *findings.nat_missing}));
    }
    if (findings.forwarding_missing) {
        add("ForwardingMissing", "Disabled",
            "IP forwarding is off and manage_forwarding is false: the jail reaches its own network only; "
            "turn forwarding on");
    }
    return found;
}

/// Addresses as they were seen, or else as they were given out.
void describe_interfaces(const model::Jail& jail, const std::vector<kernel::ObservedLink>& links,
                         model::JailStatus& status) {
    const auto& asked = jail.spec.network.interfaces;
    if (jail.spec.network.mode == model::NetworkMode::alias) {
        for (const auto& one : asked)
            status.interfaces.push_back({.name = one.interface, .network = {}, .addresses = one.addresses});
        status.addresses = jail.addresses();
    }
    for (unsigned index = 0; index < jail.interfaces.size(); ++index) {
        model::InterfaceStatus interface {
            .name = interface_name(jail, index), .network = index < asked.size() ? asked[index].network : std::string(),
            .addresses = jail.interfaces[index].addresses
        };
        const kernel::ObservedLink* seen = nullptr;
        for (const auto& link : links)
            if (link.id.index == index && !link.addresses.empty()) seen = &link;
        if (seen != nullptr) interface.addresses = seen->addresses;
        status.addresses.insert(status.addresses.end(), interface.addresses.begin(), interface.addresses.end());
        status.interfaces.push_back(std::move(interface));
    }
}

/// Keeps the time of those that were there before.
std::vector<Condition> with_since(std::vector<Condition> found, const std::vector<Condition>& previous) {
    for (auto& one : found) {
        const auto before = std::ranges::find(previous, one.type, &Condition::type);
        if (before != previous.end() && before->status == one.status && before->reason == one.reason)
            one.since = before->since;
    }
    return found;
}

}  // namespace

std::string message_of(const Failure& failure) {
    const auto& error = failure.error;
    std::string text = failure.step;
    text += ": ";
    text += error.detail.empty() ? std::string(error.name()) : error.detail;
    if (error.sys != 0) text += fmt::format(" (errno {})", error.sys);
    if (!error.remedy.empty()) text += "; " + error.remedy;
    return text;
}

model::JailStatus derive_status(const Findings& findings, const model::JailStatus& previous) {
    const auto& observed = findings.observed;
    model::JailStatus status;
    status.state = state_of(findings);
    if (alive(observed)) {
        status.jid = observed.jail->jid;
        status.pid = observed.jail->pid;
    }
    if (shim_alive(observed) && observed.shim->command == kernel::CommandState::running)
        status.command_pid = observed.shim->command_pid;
    describe_interfaces(effective(findings.row, observed).jail, observed.links, status);
    status.last_exit = observed.shim ? observed.shim->last_exit : previous.last_exit;
    const bool converged = findings.phase == Phase::settled && !findings.failure && !findings.row.removing;
    status.observed_generation = converged ? findings.row.generation : previous.observed_generation;
    status.conditions = with_since(conditions_of(findings, status), previous.conditions);
    return status;
}

model::JailStatus expected_status(const model::Jail& row) {
    model::JailStatus status;
    status.state = row.unpacking() ? JailState::importing
                   : wanted(row)   ? JailState::starting
                   : row.removing  ? JailState::stopping
                                   : JailState::stopped;
    describe_interfaces(row, {}, status);
    return status;
}

}  // namespace jaild::reconcile
