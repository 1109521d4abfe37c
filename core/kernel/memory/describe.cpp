#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/kernel/freebsd/pure/rctl_rules.h"
#include "core/kernel/memory/state.h"

namespace jaild::kernel::memory {
namespace {

template <class Values>
std::string join(const Values& values) {
    std::vector<std::string> texts;
    for (const auto& value : values) texts.push_back(value.to_string());
    std::ranges::sort(texts);
    return fmt::format("{}", fmt::join(texts, ","));
}

std::string describe_rule(const FilterRule& rule) {
    std::string text(model::to_string(rule.action));
    if (const auto* group = std::get_if<std::string>(&rule.peer)) text += " <" + *group + ">";
    if (const auto* prefix = std::get_if<Prefix>(&rule.peer)) text += " " + prefix->to_string();
    if (rule.protocol) text += " " + std::string(model::to_string(*rule.protocol));
    for (const auto& ports : rule.ports) text += " port " + ports.to_string();
    return text;
}

std::string subnet(const std::optional<Prefix>& prefix) {
    return prefix ? prefix->to_string() : "-";
}

std::string_view life_name(JailLife life) {
    switch (life) {
        case JailLife::half:
            return "half";
        case JailLife::alive:
            return "alive";
        case JailLife::dead:
            return "dead";
        case JailLife::dying:
            return "dying";
    }
    return "?";
}

std::string describe_parameters(const Prison& prison) {
    std::string text;
    for (const auto& [name, setting] : prison.parameters) text += " " + freebsd::to_argument({name, setting});
    if (prison.devfs_ruleset) text += fmt::format(" devfs_ruleset={}", *prison.devfs_ruleset);
    for (const auto& device : prison.devices) text += " device=" + device;
    for (const auto& dataset : prison.datasets) text += " dataset=" + dataset;
    return text;
}

std::string describe_shim(const Shim& shim) {
    if (!shim.known) return "never held";
    const auto command = shim.command == CommandState::none      ? "no command"
                         : shim.command == CommandState::running ? "command runs"
                                                                 : "command ended";
    const auto last =
        shim.last_exit ? fmt::format("{} {}", shim.last_exit->reason, shim.last_exit->exit_code) : std::string("none");
    return fmt::format("{}, {}, start_done {}, last exit {}", shim.alive ? "held" : "released", command,
                       shim.start_done, last);
}

std::string describe_hooks(const Directory& held) {
    if (held.applied->hooks == HookLife::none && held.hooks_begun.empty()) return {};
    std::string text = held.applied->hooks == HookLife::none    ? " hooks none:"
                       : held.applied->hooks == HookLife::begun ? " hooks begun:"
                                                                : " hooks ending:";
    for (const auto hook : held.hooks_begun) text.append(" ").append(model::to_string(hook));
    return text;
}

std::string describe_directory(JailId id, const Directory& held) {
    const auto applied = held.applied ? fmt::format("{}.{} {} {}", held.applied->generation, held.applied->incarnation,
                                                    held.applied->complete ? "complete" : "begun", held.applied->spec) +
                                            describe_hooks(held)
                                      : std::string("none");
    std::string snapshots;
    for (const auto& [snapshot, copy] : held.snapshots)
        snapshots += fmt::format("{}{}={} ", snapshot.value, copy.whole ? "" : " half", copy.content);
    return fmt::format(
        "directory {}: content {}, snapshots [{}], {}{}{}, generated [{}], {}, given [{}]\n  applied {}\n", id.value,
        held.content, snapshots, held.tree ? "tree " : "", held.etc ? "etc " : "",
        held.prepared ? "prepared" : "unprepared", held.generated, describe_shim(held.shim), join(held.aliases),
        applied);
}

std::string describe_uplink(const Bridge& bridge) {
    if (bridge.uplink.empty()) return {};
    return fmt::format(", uplink {} vlan {}{}", bridge.uplink, bridge.vlan, bridge.uplinked ? "" : " missing");
}

}  // namespace

std::string describe(const JailRules& rules) {
    std::string text;
    for (const auto& endpoint : rules.endpoints) {
        text += fmt::format("  interface {} on network {}:", endpoint.index, endpoint.network.value);
        for (const auto& address : endpoint.addresses) text += " " + address.to_string();
        text += '\n';
    }
    const auto add = [&](std::string_view way, const std::optional<Filter>& filter) {
        if (!filter) return;
        for (const auto& rule : filter->rules) text += fmt::format("  {} {}\n", way, describe_rule(rule));
        text += fmt::format("  {} {}\n", way, model::to_string(filter->fallback));
    };
    add("in", rules.ingress);
    add("out", rules.egress);
    for (const auto& one : rules.publish)
        text += fmt::format("  publish {} -> {}\n", one.host_side(), one.jail_port.to_string());
    for (const auto& group : rules.groups) text += fmt::format("  group {}: {}\n", group.key, join(group.members));
    return text;
}

std::string describe(const State& state, const InstanceId& instance) {
    std::vector<std::string> lines;
    for (const auto& one : state.prisons) {
        lines.push_back(fmt::format("jail {}: {} {} hostname {} {}{}\n", one.id.value, one.name, life_name(one.life),
                                    one.hostname, model::to_string(one.mode), describe_parameters(one)));
    }
    for (const auto& pair : state.pairs) {
        // Unfinished ones keep their unit in their name: no two of them are alike, and none may be left.
        lines.push_back(fmt::format(
            "link {}.{}: {} [{}] {} -> {}, {}, bridge {}{}{}, mtu {}, addresses {}, gateways {}\n",
            pair.owner.jail.value, pair.owner.index, pair.host_name, pair.host_mark, pair.taken_out ? "out" : "inside",
            pair.jail_name, pair.host_up && pair.jail_up ? "up" : "down", pair.bridge.value, pair.host_bridge,
            pair.isolated ? " isolated" : "", pair.mtu, join(pair.addresses), join(pair.gateways)));
    }
    for (const auto& dataset : state.jailed_datasets) lines.push_back("jailed " + dataset + '\n');
    for (const auto& alias : state.host_addresses) lines.push_back("alias " + alias.to_string() + '\n');
    for (const auto& bridge : state.bridges) {
        lines.push_back(fmt::format("bridge {}: [{}] {}, mtu {}, addresses {}{}\n", bridge.name, bridge.mark,
                                    bridge.up ? "up" : "down", bridge.mtu, join(bridge.addresses),
                                    describe_uplink(bridge)));
    }
    for (const auto& [name, rules] : state.limits)
        for (const auto& rule : rules) lines.push_back(freebsd::rctl::rule_text(name, rule) + '\n');
    for (const auto& [id, loaded] : state.rules) {
        lines.push_back(fmt::format("rules {}: {} {}{}{}\n", id.value, subnet(loaded.network.ipv4),
                                    subnet(loaded.network.ipv6), loaded.network.nat.on ? " nat" : "",
                                    loaded.spoiled ? " spoiled" : ""));
    }
    for (const auto& [id, loaded] : state.jail_rules)
        lines.push_back(
            fmt::format("jail rules {}:{}\n{}", id.value, loaded.spoiled ? " spoiled" : "", describe(loaded.rules)));
    std::ranges::sort(lines);
    // The order of mounts at one place matters, any other does not.
    auto mounts = state.mounts;
    std::ranges::stable_sort(mounts, {}, [](const MountPoint& one) { return std::pair(one.id, one.mount.target); });
    for (const auto& one : mounts) {
        lines.push_back(fmt::format("mount {}: {} {}{}\n", one.id.value, one.mount.target,
                                    one.mount.read_only ? "ro" : "rw", one.mount.no_suid ? " nosuid" : ""));
    }
    lines.push_back(fmt::format("forwarding {} {}\n", state.forwarding4, state.forwarding6));
    auto text = fmt::format("{}", fmt::join(lines, ""));
    const auto& drawn = instance.text();
    for (auto at = text.find(drawn); at != std::string::npos; at = text.find(drawn, at)) {
        text.replace(at, drawn.size(), "<instance>");
    }
    // No name of an instance is in there, but long texts, in which five letters may be anything.
    for (const auto& [id, held] : state.directories) text += describe_directory(id, held);
    return text;
}

}  // namespace jaild::kernel::memory
