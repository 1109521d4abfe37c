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

/// It runs, and is to be made anew because its probes fail.
bool is_sick(const EndedCommand& ended) {
    return ended.exit.reason == model::kUnhealthy;
}

JailState state_of(const Findings& findings) {
    const auto& observed = findings.observed;
    if (findings.failure) return JailState::failed;
    if (findings.row.unpacking()) return JailState::importing;
    if (wanted(findings.row)) {
        if (!alive(observed) || !observed.applied.complete) return JailState::starting;
        if (situation(findings.row, observed) != Situation::continues) return JailState::starting;
        const auto ended = ended_command(effective(findings.row, observed).jail, observed);
        if (!ended || ended->answer == Answer::leave) return JailState::running;
        if (ended->answer == Answer::give_up) return JailState::failed;
        return is_sick(*ended) ? JailState::running : JailState::starting;
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
    else if (state == JailState::starting && !findings.waits_for.empty()) {
        const bool coming = std::ranges::all_of(findings.waits_for, &Awaited::coming);
        condition.reason = coming ? "WaitsForDependency" : std::string(model::kDependencyDown);
        for (const auto& one : findings.waits_for)
            condition.message += (condition.message.empty() ? "waits for " : "; for ") + one.text;
    } else if (state == JailState::failed) {
        condition.reason = "TooManyRestarts";
        condition.message = "it ended or was unhealthy too often, and is not run again: restart the jail for a new try";
    } else if (findings.halting)
        condition.message = "the host goes down: what should run is started again when jaild is";
    return condition;
}

std::string_view reason_of(const model::LastExit& exit) {
    if (exit.reason == "lost") return "Lost";
    if (exit.reason == "failed_to_start") return "FailedToStart";
    if (exit.reason == "emptied") return "Emptied";
    return exit.signal != 0 ? "Signaled" : "Exited";
}

std::string how_it_ended(const model::LastExit& exit) {
    if (exit.reason == "lost") return "the command was lost with the process that held it";
    if (exit.reason == "failed_to_start") return "the command could not be executed";
    if (exit.reason == "emptied") return "none of the jail's processes is left";
    return fmt::format("the command ended with {}", to_string(exit));
}

/// What comes of it. The wait is told as a time, so that the message stays the same meanwhile.
std::string what_follows(const model::Jail& held, const std::optional<EndedCommand>& ended) {
    if (ended && ended->answer == Answer::restart) {
        const auto wait = wait_before(held.spec.restart, ended->before, ended->exit, held.id);
        return fmt::format("it is run again at {} (restart {})",
                           UtcTime{ended->exit.at.milliseconds + wait.count()}.to_string(), ended->before.count + 1);
    }
    if (ended && ended->answer == Answer::give_up) return "its retries are spent: restart the jail for a new try";
    return fmt::format("restart policy \"{}\" does not run it again: restart the jail for that",
                       model::to_string(held.spec.restart.policy));
}

std::optional<Condition> command_ended(const Findings& findings, const model::JailStatus& status) {
    const auto& observed = findings.observed;
    const auto held = effective(findings.row, observed).jail;
    const auto ended = ended_command(held, observed);
    const bool waits = ended && ended->answer != Answer::leave;
    // One that is not to be restarted may be meant to be empty: its exec.start prepares it for others.
    if ((status.state != JailState::running || held.spec.command.empty()) && !waits) return std::nullopt;
    const bool exited = observed.shim && observed.shim->command == kernel::CommandState::exited;
    if (!exited && !command_spent(held, observed)) return std::nullopt;

    Condition condition{
        .type = "CommandEnded", .status = true, .reason = "Exited", .message = {}, .since = findings.now};
    std::string how = "the command ended";
    if (status.last_exit) {
        condition.reason = reason_of(*status.last_exit);
        how = how_it_ended(*status.last_exit);
    }
    condition.message = how + "; " + what_follows(held, ended);
    return condition;
}

/// "the command ended 3 times within 600 s: exit code 1 after 0.2 s, exit code 1 after 0.1 s, exit code 1; the last
/// lines of its log: …"
std::optional<Condition> retries_spent(const Findings& findings) {
    const auto held = effective(findings.row, findings.observed).jail;
    const auto ended = ended_command(held, findings.observed);
    if (!ended || ended->answer != Answer::give_up) return std::nullopt;
    std::vector<std::string> exits;
    for (const auto& exit : ended->before.exits) exits.push_back(to_string(exit));
    exits.push_back(to_string(ended->exit));
    const auto& spec = held.spec.restart;
    auto message = fmt::format("the {} after {} restarts within {} s; its last ends: {}",
                               is_sick(*ended)         ? "jail was unhealthy"
                               : held.spec.is_system() ? "jail ended"
                                                       : "command ended",
                               spec.max_retries, std::chrono::duration_cast<std::chrono::seconds>(spec.window).count(),
                               fmt::join(exits, ", "));
    message += "; restart the jail for a new try";
    if (!findings.last_words.empty()) message += "; the last lines of its log: " + findings.last_words;
    return Condition{.type = "RetriesSpent",
                     .status = true,
                     .reason = "TooManyRestarts",
                     .message = std::move(message),
                     .since = findings.now};
}

std::optional<Condition> unhealthy(const Findings& findings) {
    const auto& health = findings.health;
    if (!health || health->state != model::HealthState::unhealthy || !findings.row.spec.health) return std::nullopt;
    const auto held = effective(findings.row, findings.observed).jail;
    const auto ended = ended_command(held, findings.observed);
    auto message = fmt::format("the {} failed {} times in a row: {}; ", describe(*findings.row.spec.health),
                               health->failures, health->message);
    if (ended && is_sick(*ended))
        message += what_follows(held, ended);
    else
        message += "look into its log, and restart the jail if need be";
    return Condition{.type = "Unhealthy",
                     .status = true,
                     .reason = "ProbeFailed",
                     .message = std::move(message),
                     .since = health->since};
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
    if (auto spent = retries_spent(findings)) found.push_back(*std::move(spent));
    if (auto sick = unhealthy(findings)) found.push_back(*std::move(sick));
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
    status.restarts = restarts_of(findings.row, observed).count;
    if (alive(observed)) status.limit_breaches = observed.limits ? observed.limits->breaches : previous.limit_breaches;
    if (status.state == JailState::running || status.state == JailState::failed) status.health = findings.health;
    status.last_exit = observed.shim ? observed.shim->last_exit : previous.last_exit;
    const bool converged =
        findings.phase == Phase::settled && !findings.failure && !findings.row.removing && findings.waits_for.empty();
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
