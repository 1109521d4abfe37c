#include "core/kernel/linux/jail_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/kernel/linux/nftables.h"
#include "core/kernel/names.h"

namespace jaild::kernel::nft {
namespace {

using nlohmann::json;

std::string word(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "10.0.0.0/24" as well as "10.0.0.1"; an element with a comment or the like is nobody's of ours.
std::string element_key(const json& element) {
    if (element.is_string()) return element.get<std::string>();
    const auto prefix = element.find("prefix");
    if (!element.is_object() || prefix == element.end()) return element.dump();
    return word(*prefix, "addr") + "/" + std::to_string(prefix->value("len", 0));
}

void add_map(const json& map, std::set<Entry>& entries) {
    for (const auto& element : map.value("elem", json::array())) {
        if (!element.is_array() || element.size() != 2) continue;
        const auto jump = element[1].find("jump");
        const bool jumps = element[1].is_object() && jump != element[1].end();
        entries.insert({word(map, "name"), element_key(element[0]), jumps ? word(*jump, "target") : "?"});
    }
}

void add_set(const json& set, TablesSeen& seen) {
    const auto name = word(set, "name");
    const bool decided = name.starts_with("decided");
    auto& members = seen.sets[name];
    for (const auto& element : set.value("elem", json::array())) {
        members.insert(element_key(element));
        if (decided) seen.entries.insert({name, element_key(element), {}});
    }
    if (decided) seen.sets.erase(name);
}

/// "@name" wherever it stands in a rule.
void add_named(const json& value, std::set<std::string>& names) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (text.starts_with('@')) names.insert(text.substr(1));
    } else if (value.is_structured()) {
        for (const auto& part : value) add_named(part, names);
    }
}

void add_entry(const json& entry, bool inet, TablesSeen& seen) {
    if (!entry.is_object() || entry.empty()) return;
    const auto& kind = entry.begin().key();
    const auto& object = entry.begin().value();
    auto& chains = inet ? seen.inet_chains : seen.bridge_chains;
    if (kind == "chain") {
        const auto name = word(object, "name");
        (void)chains[name];
        seen.networks = seen.networks || (inet && network_of(name).value != 0);
    } else if (kind == "rule") {
        const auto chain = word(object, "chain");
        chains[chain].push_back(word(object, "comment"));
        if (inet && object.contains("expr")) add_named(object["expr"], seen.named[chain]);
    } else if (kind == "map") {
        add_map(object, inet ? seen.entries : seen.ports);
    } else if (kind == "set" && inet) {
        add_set(object, seen);
    }
}

/// What a table holds; nothing when there is none.
Result<std::optional<json>> list_table(const std::string& table) {
    // Not in JSON: see firewall.cpp.
    const auto tables = show("list tables");
    if (!tables) return std::unexpected(tables.error());
    if (!("\n" + *tables).contains("\ntable " + table + "\n")) return std::nullopt;
    auto listed = nft::list("list table " + table);
    if (!listed) return std::unexpected(listed.error());
    return *std::move(listed);
}

bool same_chains(const std::map<std::string, std::vector<std::string>>& seen, const std::vector<Chain>& wanted) {
    return std::ranges::all_of(wanted, [&](const Chain& chain) {
        const auto found = seen.find(chain.name);
        return found != seen.end() && found->second == chain.comments;
    });
}

/// What is there of a jail and does not belong to `wanted`.
Stale stale_of(const TablesSeen& seen, JailId jail, const JailText& wanted) {
    Stale stale;
    const auto extra = [jail](const auto& there, const std::vector<Chain>& keep, std::vector<std::string>& out) {
        for (const auto& [name, rules] : there)
            if (jail_of(name) == jail && std::ranges::find(keep, name, &Chain::name) == keep.end()) out.push_back(name);
    };
    extra(seen.inet_chains, wanted.inet, stale.inet_chains);
    extra(seen.bridge_chains, wanted.bridge, stale.bridge_chains);
    const auto keeps = [](const std::vector<Entry>& all, const Entry& one) {
        return std::ranges::find(all, one) != all.end();
    };
    for (const auto& entry : seen.entries) {
        if (jail_of(entry.target) != jail || keeps(wanted.entries, entry)) continue;
        stale.entries.push_back(entry);
        // What is decided by an ingress of its own is so no longer.
        const Entry decided{"decided" + entry.name.substr(entry.name.size() - 1), entry.key, {}};
        if (entry.name.starts_with("ingress") && seen.entries.contains(decided) && !keeps(wanted.entries, decided))
            stale.entries.push_back(decided);
    }
    for (const auto& port : seen.ports)
        if (jail_of(port.target) == jail && !keeps(wanted.ports, port)) stale.ports.push_back(port);
    return stale;
}

bool nothing(const Stale& stale) {
    return stale.inet_chains.empty() && stale.bridge_chains.empty() && stale.entries.empty() && stale.ports.empty();
}

/// The tables after a change; what `wanted` has is there, what is stale is not.
TablesSeen changed(TablesSeen seen, const JailText& wanted, const Stale& stale) {
    for (const auto& name : stale.inet_chains) {
        seen.inet_chains.erase(name);
        seen.named.erase(name);
    }
    for (const auto& name : stale.bridge_chains) seen.bridge_chains.erase(name);
    for (const auto& entry : stale.entries) seen.entries.erase(entry);
    for (const auto& port : stale.ports) seen.ports.erase(port);
    for (const auto& chain : wanted.inet) {
        seen.inet_chains[chain.name] = chain.comments;
        seen.named.erase(chain.name);
    }
    for (const auto& chain : wanted.bridge) seen.bridge_chains[chain.name] = chain.comments;
    seen.entries.insert(wanted.entries.begin(), wanted.entries.end());
    seen.ports.insert(wanted.ports.begin(), wanted.ports.end());
    for (const auto& [name, members] : wanted.sets) {
        seen.sets[name] = members;
        if (!wanted.inet.empty()) seen.named[wanted.inet.front().name].insert(name);
    }
    seen.inet = seen.bridge = true;
    return seen;
}

/// Adds what a rule counted to the others that stand for the same one of the user's.
void add_count(const json& entry, std::vector<RuleCount>& counts) {
    const auto rule = entry.find("rule");
    if (!entry.is_object() || rule == entry.end()) return;
    auto count = counted(word(*rule, "comment"));
    if (!count) return;
    for (const auto& expression : rule->value("expr", json::array())) {
        const auto counter = expression.find("counter");
        if (!expression.is_object() || counter == expression.end() || !counter->is_object()) continue;
        count->packets = counter->value("packets", std::uint64_t{0});
        count->bytes = counter->value("bytes", std::uint64_t{0});
    }
    const auto same = std::ranges::find_if(counts, [&](const RuleCount& one) {
        return one.ingress == count->ingress && one.place == count->place && one.index == count->index;
    });
    if (same == counts.end()) {
        counts.push_back(*count);
        return;
    }
    same->packets += count->packets;
    same->bytes += count->bytes;
}

/// Takes the sets that no rule names any more out of `after`, and says how.
std::string collect_unnamed(const std::string& table, TablesSeen& after) {
    std::set<std::string> named;
    for (const auto& [chain, names] : after.named) named.insert(names.begin(), names.end());
    std::string commands;
    std::erase_if(after.sets, [&](const auto& set) {
        if (named.contains(set.first)) return false;
        commands += fmt::format("delete set inet {} {}\n", table, set.first);
        return true;
    });
    return commands;
}

}  // namespace

Result<const TablesSeen*> JailTables::seen() {
    const auto now = generation();
    if (!now) return std::unexpected(now.error());
    if (seen_ && *now == generation_) return &*seen_;
    seen_.reset();
    TablesSeen found;
    const auto name = nft_table(instance_);
    const auto inet = list_table("inet " + name);
    if (!inet) return std::unexpected(inet.error());
    const auto bridge = list_table("bridge " + name);
    if (!bridge) return std::unexpected(bridge.error());
    found.inet = inet->has_value();
    found.bridge = bridge->has_value();
    if (found.inet)
        for (const auto& entry : **inet) add_entry(entry, true, found);
    if (found.bridge)
        for (const auto& entry : **bridge) add_entry(entry, false, found);
    seen_ = std::move(found);
    generation_ = *now;  // a change since then is seen the next time
    return &*seen_;
}

Result<void> JailTables::run(const std::string& commands, const TablesSeen& after) {
    const auto before = generation_;
    auto done = nft::run(commands);
    seen_.reset();
    if (!done) return done;
    // Only our own transaction came between: what we know of the rest is still so.
    if (const auto now = generation(); now && *now == before + 1) {
        seen_ = after;
        generation_ = *now;
    }
    return {};
}

Result<std::vector<ObservedJailRules>> JailTables::list(const std::vector<JailRules>& desired) {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    const auto& found = **tables;
    const bool shared = same_chains(found.inet_chains, shared_inet(instance_)) &&
                        same_chains(found.bridge_chains, shared_bridge(instance_));
    std::set<JailId> present;
    for (const auto* chains : {&found.inet_chains, &found.bridge_chains})
        for (const auto& [name, rules] : *chains) present.insert(jail_of(name));
    for (const auto* entries : {&found.entries, &found.ports})
        for (const auto& entry : *entries) present.insert(jail_of(entry.target));
    present.erase(JailId{});

    std::vector<ObservedJailRules> all;
    for (const auto& one : desired) {
        const auto wanted = jail_text(instance_, one);
        const auto contains = [](const auto& there, const auto& part) {
            return std::ranges::all_of(part, [&](const auto& each) { return there.contains(each); });
        };
        const bool complete =
            shared && same_chains(found.inet_chains, wanted.inet) && same_chains(found.bridge_chains, wanted.bridge) &&
            contains(found.entries, wanted.entries) && contains(found.ports, wanted.ports) &&
            nothing(stale_of(found, one.jail, wanted)) && std::ranges::all_of(wanted.sets, [&](const auto& set) {
                const auto there = found.sets.find(set.first);
                return there != found.sets.end() && there->second == set.second;
            });
        all.push_back({.jail = one.jail, .loaded = present.contains(one.jail), .complete = complete});
        present.erase(one.jail);
    }
    for (const JailId jail : present) all.push_back({.jail = jail, .loaded = true, .complete = false});
    return all;
}

Result<void> JailTables::apply(const JailRules& rules) {
    if (try_apply(rules)) return {};
    // What was known may be out of date, and a dormant table is woken by a bare `add`.
    seen_.reset();
    (void)nft::run(fmt::format("add table inet {0}\nadd table bridge {0}\n", nft_table(instance_)));
    return try_apply(rules);
}

Result<void> JailTables::try_apply(const JailRules& rules) {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    const auto& found = **tables;
    const auto wanted = jail_text(instance_, rules);
    const auto stale = stale_of(found, rules.jail, wanted);
    const bool shared = found.inet && found.bridge && same_chains(found.inet_chains, shared_inet(instance_)) &&
                        same_chains(found.bridge_chains, shared_bridge(instance_));
    auto after = changed(found, wanted, stale);
    auto commands = shared ? std::string() : shared_commands(instance_);
    for (const auto& chain : shared_inet(instance_)) after.inet_chains[chain.name] = chain.comments;
    for (const auto& chain : shared_bridge(instance_)) after.bridge_chains[chain.name] = chain.comments;
    commands += load_commands(instance_, wanted, stale);
    commands += collect_unnamed(nft_table(instance_), after);
    return run(commands, after);
}

Result<void> JailTables::remove(JailId jail) {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    const auto& found = **tables;
    const JailText none;
    const auto stale = stale_of(found, jail, none);
    if (nothing(stale)) return {};
    auto after = changed(found, none, stale);
    after.inet = found.inet;
    after.bridge = found.bridge;
    const auto of_jail = [](const auto& entry) { return jail_of(entry.first).value != 0; };
    const bool others =
        std::ranges::any_of(after.inet_chains, of_jail) || std::ranges::any_of(after.bridge_chains, of_jail);
    const auto name = nft_table(instance_);
    if (others || after.networks)
        return run(load_commands(instance_, none, stale) + collect_unnamed(name, after), after);
    return run(
        fmt::format("add table inet {0}\ndelete table inet {0}\nadd table bridge {0}\ndelete table bridge {0}\n", name),
        TablesSeen{});
}

Result<void> JailTables::update(const std::vector<GroupUse>& groups) {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    auto after = **tables;
    std::string commands;
    for (const auto& [group, users] : groups) {
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const auto set = after.sets.find(set_name(group.key, family));
            if (set == after.sets.end() || users.empty()) continue;
            auto members = members_of(group, family);
            if (set->second == members) continue;
            commands += set_commands(instance_, set->first, members);
            set->second = std::move(members);
        }
    }
    return commands.empty() ? Result<void>{} : run(commands, after);
}

Result<bool> JailTables::in_use() {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    const auto of_jail = [](const auto& entry) { return jail_of(entry.first).value != 0; };
    return std::ranges::any_of((*tables)->inet_chains, of_jail) ||
           std::ranges::any_of((*tables)->bridge_chains, of_jail);
}

Result<LoadedText> JailTables::loaded(JailId jail) {
    const auto tables = seen();
    if (!tables) return std::unexpected(tables.error());
    LoadedText shown;
    const auto name = nft_table(instance_);
    const auto chains_of = [&](const auto& chains, std::string_view family) -> Result<void> {
        for (const auto& [chain, rules] : chains) {
            if (jail_of(chain) != jail) continue;
            const auto command = fmt::format("list chain {} {} {}", family, name, chain);
            const auto text = show(command);
            if (!text) return std::unexpected(text.error());
            shown.text += *text;
            const auto listed = nft::list(command);
            if (!listed) return std::unexpected(listed.error());
            for (const auto& entry : *listed) add_count(entry, shown.counts);
        }
        return {};
    };
    if (auto done = chains_of((*tables)->inet_chains, "inet"); !done) return std::unexpected(done.error());
    if (auto done = chains_of((*tables)->bridge_chains, "bridge"); !done) return std::unexpected(done.error());
    return shown;
}

}  // namespace jaild::kernel::nft
