#include "core/reconcile/leftovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <ranges>

#include "core/kernel/names.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

using model::Leftover;
using model::LeftoverKind;

/// What there are rows of.
struct Rows {
    std::set<JailId> jails{};
    std::set<NetworkId> networks{};
    std::set<TemplateId> templates{};
    std::set<SnapshotId> snapshots{};
};

template <class Id, class Row>
std::set<Id> ids_of(const std::vector<Row>& rows) {
    std::set<Id> ids;
    for (const auto& row : rows) ids.insert(row.id);
    return ids;
}

Result<Rows> read_rows(store::Store& store) {
    return store::read<Rows>(store, [](store::Reader& reader) -> Result<Rows> {
        const auto jails = reader.all_jails();
        if (!jails) return std::unexpected(jails.error());
        const auto networks = reader.networks();
        if (!networks) return std::unexpected(networks.error());
        const auto templates = reader.templates();
        if (!templates) return std::unexpected(templates.error());
        const auto snapshots = reader.snapshots();
        if (!snapshots) return std::unexpected(snapshots.error());
        return Rows{.jails = ids_of<JailId>(*jails),
                    .networks = ids_of<NetworkId>(*networks),
                    .templates = ids_of<TemplateId>(*templates),
                    .snapshots = ids_of<SnapshotId>(*snapshots)};
    });
}

/// Everything of this installation, whoever it belongs to.
struct Everything {
    std::set<JailId> jails{};
    std::set<NetworkId> bridges{};
    std::set<NetworkId> rules{};
    LeftTrees trees{};
};

Result<LeftTrees> list_trees(kernel::Kernel& kernel) {
    auto templates = kernel.template_trees().list();
    if (!templates) return std::unexpected(templates.error());
    auto snapshots = kernel.snapshots().list();
    if (!snapshots) return std::unexpected(snapshots.error());
    return LeftTrees{.snapshots = *std::move(snapshots), .templates = *std::move(templates)};
}

/// Those without a row are left.
void drop_known(LeftTrees& trees, const Rows& rows) {
    std::erase_if(trees.templates, [&](TemplateId id) { return rows.templates.contains(id); });
    std::erase_if(trees.snapshots, [&](const kernel::SnapshotKey& key) {
        return !rows.jails.contains(key.jail) || rows.snapshots.contains(key.id);
    });
}

/// Without a packet filter there is nothing in it.
Result<void> list_rules(kernel::Firewall& firewall, Everything& all) {
    if (!firewall.available()) return {};
    const auto of_jails = firewall.list_jails({});
    if (!of_jails) return std::unexpected(of_jails.error());
    for (const auto& one : *of_jails)
        if (one.loaded) all.jails.insert(one.jail);
    const auto of_networks = firewall.list({});
    if (!of_networks) return std::unexpected(of_networks.error());
    for (const auto& one : *of_networks) all.rules.insert(one.network);
    return {};
}

Result<Everything> list_everything(kernel::Kernel& kernel) {
    Everything all;
    const auto jails = observe_all(kernel);
    if (!jails) return std::unexpected(jails.error());
    for (const auto& [id, observed] : *jails) all.jails.insert(id);
    if (auto listed = list_rules(kernel.firewall(), all); !listed) return std::unexpected(listed.error());
    const auto bridges = kernel.links().bridges();
    if (!bridges) return std::unexpected(bridges.error());
    for (const auto& bridge : *bridges) all.bridges.insert(bridge.network);
    auto trees = list_trees(kernel);
    if (!trees) return std::unexpected(trees.error());
    all.trees = *std::move(trees);
    return all;
}

std::string directory_of(JailId id) {
    return fmt::format("jails/{}", id.value);
}

std::string state_of(const kernel::ObservedJail& jail) {
    if (jail.dying) return "dying: something still refers to it";
    if (!jail.alive) return "dead: what is left of one";
    return jail.pid > 0 ? fmt::format("runs, pid {}", jail.pid) : fmt::format("runs, jid {}", jail.jid);
}

/// Empty: neither the kernel nor the hint in its directory knows it.
const std::string& name_of(const Observed& observed) {
    return observed.jail ? observed.jail->name : observed.applied.name;
}

}  // namespace

bool lives(const Observed& observed) {
    return alive(observed) || (shim_alive(observed) && observed.shim->command == kernel::CommandState::running);
}

std::optional<kernel::LimitSubject> limits_left(Engine& engine, JailId id, const Observed& observed) {
    auto name = model::Name::parse(name_of(observed));
    if (!name) return std::nullopt;
    const auto row = store::read<model::Jail>(engine.store, [&](store::Reader& reader) { return reader.jail(*name); });
    if (row || row.error().code != Errc::not_found) return std::nullopt;
    return kernel::LimitSubject{.id = id, .name = *std::move(name)};
}

void observe_leftover(Engine& engine, JailId id, Observed& observed) {
    (void)observe_rules(engine.kernel, {.jail = id}, observed);
    const auto subject = limits_left(engine, id, observed);
    if (!subject) return;
    if (auto limits = engine.kernel.limits().list({*subject})) observed.limits = std::move(limits->at(0));
}

Result<Leftovers> find_leftovers(Engine& engine, const std::function<bool(JailId)>& busy) {
    auto all = list_everything(engine.kernel);
    if (!all) return std::unexpected(all.error());
    const auto rows = read_rows(engine.store);
    if (!rows) return std::unexpected(rows.error());
    Leftovers found;
    for (const auto id : all->jails) {
        if (rows->jails.contains(id) || busy(id)) continue;
        auto observed = observe(engine.kernel, id);
        if (!observed) return std::unexpected(observed.error());
        observe_leftover(engine, id, *observed);
        if (!describe(id, *observed, engine.store.instance()).empty()) found.jails.emplace(id, *std::move(observed));
    }
    const auto unknown = [&](NetworkId id) { return !rows->networks.contains(id); };
    std::ranges::copy_if(all->bridges, std::inserter(found.bridges, found.bridges.end()), unknown);
    std::ranges::copy_if(all->rules, std::inserter(found.rules, found.rules.end()), unknown);
    found.trees = std::move(all->trees);
    drop_known(found.trees, *rows);
    return found;
}

Result<LeftTrees> find_left_trees(Engine& engine) {
    auto trees = list_trees(engine.kernel);
    if (!trees) return trees;
    const auto rows = read_rows(engine.store);
    if (!rows) return std::unexpected(rows.error());
    drop_known(*trees, *rows);
    return trees;
}

std::vector<Leftover> describe(JailId id, const Observed& observed, const InstanceId& instance) {
    const auto owner = fmt::format("jail {}", id.value);
    const bool kept = lives(observed);
    std::vector<Leftover> items;
    const auto add = [&](LeftoverKind kind, std::string object, std::string detail = {}) {
        items.push_back(
            {.kind = kind, .object = std::move(object), .owner = owner, .detail = std::move(detail), .kept = kept});
    };
    for (const auto& link : observed.links)
        add(LeftoverKind::interface, kernel::pair_name(instance, link.id, kernel::PairEnd::host));
    if (observed.jail) add(LeftoverKind::jail, observed.jail->name, state_of(*observed.jail));
    if (observed.rules && observed.rules->loaded) add(LeftoverKind::rules, kernel::jail_anchor(instance, id));
    for (const auto& given : observed.aliases) add(LeftoverKind::address, given.alias.to_string());
    if (shim_alive(observed))
        add(LeftoverKind::process, fmt::format("jaild-shim {}", observed.shim->pid),
            observed.shim->command == kernel::CommandState::running ? "its command runs" : "idle");
    for (const auto& mount : observed.mounts | std::views::reverse)
        add(LeftoverKind::mount, directory_of(id) + '/' + mount.target, mount.source);
    if (observed.limits && !observed.limits->rules.empty())
        add(LeftoverKind::limits, name_of(observed), fmt::format("{} rules", observed.limits->rules.size()));
    if (!observed.directory) return items;
    add(LeftoverKind::directory, directory_of(id), observed.prepared ? "a root, and what was written into it" : "");
    items.back().kept = true;
    return items;
}

std::vector<Leftover> describe(const Leftovers& leftovers, const InstanceId& instance) {
    std::vector<Leftover> items;
    for (const auto& [id, observed] : leftovers.jails) {
        auto its = describe(id, observed, instance);
        items.insert(items.end(), std::make_move_iterator(its.begin()), std::make_move_iterator(its.end()));
    }
    for (const auto id : leftovers.rules)
        items.push_back({.kind = LeftoverKind::rules,
                         .object = kernel::network_anchor(instance, id),
                         .owner = fmt::format("network {}", id.value)});
    for (const auto id : leftovers.bridges)
        items.push_back({.kind = LeftoverKind::bridge,
                         .object = kernel::bridge_name(instance, id),
                         .owner = fmt::format("network {}", id.value)});
    for (const auto& key : leftovers.trees.snapshots)
        items.push_back({.kind = LeftoverKind::snapshot,
                         .object = fmt::format("{}/snapshots/{}", directory_of(key.jail), key.id.value),
                         .owner = fmt::format("jail {}", key.jail.value),
                         .kept = true});
    for (const auto id : leftovers.trees.templates)
        items.push_back({.kind = LeftoverKind::template_tree,
                         .object = fmt::format("templates/{}", id.value),
                         .owner = fmt::format("template {}", id.value),
                         .kept = true});
    return items;
}

}  // namespace jaild::reconcile
