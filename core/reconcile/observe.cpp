#include "core/reconcile/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "core/model/datasets.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

/// A removed jail may be dying while its successor lives: the one that matters is the one that is not dying.
bool outranks(const kernel::ObservedJail& one, const kernel::ObservedJail& other) {
    if (one.alive != other.alive) return one.alive;
    return !one.dying && other.dying;
}

/// Lists all ports into one map.
Result<std::map<JailId, Observed>> collect(kernel::Kernel& kernel, kernel::Scope scope) {
    std::map<JailId, Observed> found;
    auto jails = kernel.jails().list(scope);
    if (!jails) return std::unexpected(jails.error());
    for (auto& jail : *jails) {
        auto& slot = found[jail.id].jail;
        if (!slot || outranks(jail, *slot)) slot = std::move(jail);
    }
    auto shims = kernel.processes().list(scope);
    if (!shims) return std::unexpected(shims.error());
    for (auto& shim : *shims) found[shim.id].shim = std::move(shim);

    auto mounts = kernel.mounts().list(scope);
    if (!mounts) return std::unexpected(mounts.error());
    for (auto& mount : *mounts) found[mount.id].mounts.push_back(std::move(mount));

    auto links = kernel.links().list(scope);
    if (!links) return std::unexpected(links.error());
    for (auto& link : *links) found[link.id.jail].links.push_back(std::move(link));
    return found;
}

Result<void> read_files(kernel::Kernel& kernel, JailId id, Observed& observed) {
    auto prepared = kernel.roots().prepared(id);
    if (!prepared) return std::unexpected(prepared.error());
    observed.prepared = *prepared;
    auto applied = kernel.jails().applied(id);
    if (!applied) return std::unexpected(applied.error());
    observed.applied = *std::move(applied);
    auto aliases = kernel.links().aliases(id);
    if (!aliases) return std::unexpected(aliases.error());
    observed.aliases = *std::move(aliases);
    return {};
}

/// Only those that somebody asked for: the rest is nobody's affair.
Result<void> read_parameters(kernel::Kernel& kernel, const model::Jail& row, Observed& observed) {
    if (!alive(observed)) return {};
    std::vector<std::string> names;
    for (const auto& [name, value] : model::live_parameters(kernel_parameters(effective(row, observed).jail)))
        names.push_back(name);
    if (names.empty()) return {};
    auto parameters = kernel.jails().parameters(row.id, names);
    if (!parameters) return std::unexpected(parameters.error());
    observed.jail->parameters = *std::move(parameters);
    return {};
}

}  // namespace

Result<void> read_details(kernel::Kernel& kernel, const model::Jail& row, Observed& observed) {
    if (auto read = read_files(kernel, row.id, observed); !read) return read;
    return read_parameters(kernel, row, observed);
}

Result<Observed> observe(kernel::Kernel& kernel, const model::Jail& row) {
    auto observed = observe(kernel, row.id);
    if (!observed) return observed;
    auto limits = kernel.limits().list({limit_subject(row)});
    if (!limits) return std::unexpected(limits.error());
    observed->limits = std::move(limits->at(0));
    auto storage = kernel.roots().storage({row.id});
    if (!storage) return std::unexpected(storage.error());
    observed->storage = std::move(storage->at(0));
    if (auto read = read_parameters(kernel, row, *observed); !read) return std::unexpected(read.error());
    if (!row.root_change || row.root_change->stage != model::RootStage::restore) return observed;
    auto staged = kernel.snapshots().staged(restoration_of(row));
    if (!staged) return std::unexpected(staged.error());
    observed->staged = *staged;
    return observed;
}

Result<Observed> observe(kernel::Kernel& kernel, JailId id) {
    auto found = collect(kernel, id);
    if (!found) return std::unexpected(found.error());
    Observed observed = std::move((*found)[id]);
    if (auto added = read_files(kernel, id, observed); !added) return std::unexpected(added.error());
    observed.directory = observed.prepared;
    if (observed.directory) return observed;

    auto directories = kernel.roots().list();
    if (!directories) return std::unexpected(directories.error());
    observed.directory = std::ranges::find(*directories, id) != directories->end();
    return observed;
}

Result<void> observe_rules(kernel::Kernel& kernel, const kernel::JailRules& wanted, Observed& observed,
                           const std::optional<kernel::ObservedJailRules>& lately) {
    observed.rules = lately;
    if (auto available = kernel.firewall().available(); !available) {
        observed.rules.reset();
        return available;
    }
    if (lately) return {};
    auto listed = kernel.firewall().list_jails({wanted});
    if (!listed) return std::unexpected(listed.error());
    observed.rules = listed->at(0);
    return {};
}

Result<void> enforceable(kernel::Firewall& firewall, const kernel::JailRules& rules) {
    if (auto enforced = firewall.enforceable(); !enforced) return enforced;
    for (const auto& endpoint : rules.endpoints) {
        if (endpoint.bridge.empty()) continue;
        if (auto enforced = firewall.enforceable_on(endpoint.bridge); !enforced) return enforced;
    }
    return {};
}

Result<std::map<JailId, Observed>> observe_all(kernel::Kernel& kernel) {
    auto directories = kernel.roots().list();
    if (!directories) return std::unexpected(directories.error());
    auto found = collect(kernel, std::nullopt);
    if (!found) return found;
    for (const JailId id : *directories) (*found)[id].directory = true;
    return found;
}

Result<Desired> desire(kernel::Kernel& kernel, const model::Jail& row, const Observed& observed,
                       const std::vector<model::Network>& networks) {
    Desired desired{.jail = effective(row, observed).jail, .mounts = {}, .networks = {}};
    if (!wanted(row)) return desired;

    auto mounts = kernel.roots().mounts(root_parameters(desired.jail));
    if (!mounts) return std::unexpected(mounts.error());
    desired.mounts = *std::move(mounts);
    const bool own = desired.jail.spec.root.kind != model::RootKind::path;
    for (auto& mount :
         kernel::mounts_of(desired.jail.spec.mounts, own ? kernel::RootOwner::jaild : kernel::RootOwner::user))
        desired.mounts.push_back(std::move(mount));

    unsigned index = 0;
    for (const auto& interface : desired.jail.interfaces) {
        const auto network = std::ranges::find(networks, interface.network, &model::Network::id);
        if (network == networks.end()) {
            return std::unexpected(Error{.code = Errc::not_found,
                                         .op = "network",
                                         .detail = fmt::format("the network of interface {} does not exist", index),
                                         .reason = "network_not_found",
                                         .field = fmt::format("/network/interfaces/{}/network", index)});
        }
        desired.networks.push_back(*network);
        index++;
    }
    return desired;
}

Result<NetworkView> observe_network(kernel::Kernel& kernel, const model::Network& network,
                                    const std::vector<model::Network>& all, Rules rules) {
    NetworkView view;
    auto bridges = kernel.links().bridges();
    if (!bridges) return std::unexpected(bridges.error());
    const auto bridge = std::ranges::find(*bridges, network.id, &kernel::ObservedBridge::network);
    if (bridge != bridges->end()) view.observed.bridge = *bridge;

    auto forwarding4 = kernel.links().forwarding(Family::ipv4);
    if (!forwarding4) return std::unexpected(forwarding4.error());
    view.observed.forwarding4 = *forwarding4;
    auto forwarding6 = kernel.links().forwarding(Family::ipv6);
    if (!forwarding6) return std::unexpected(forwarding6.error());
    view.observed.forwarding6 = *forwarding6;

    if (rules == Rules::taken_as_whole) {
        view.observed.firewall = true;
        if (network.has_rules()) view.observed.rules = kernel::ObservedRules{.network = network.id, .complete = true};
        return view;
    }
    if (auto available = kernel.firewall().available(); !available) {
        view.firewall_error = available.error();
        return view;
    }
    view.observed.firewall = true;
    auto listed = kernel.firewall().list(all);
    if (!listed) {
        // A packet filter that cannot be read degrades its network; the jails go on.
        view.observed.firewall = false;
        view.firewall_error = listed.error();
        return view;
    }
    const auto loaded = std::ranges::find(*listed, network.id, &kernel::ObservedRules::network);
    if (loaded != listed->end()) view.observed.rules = *loaded;
    return view;
}

kernel::RootParameters root_parameters(const model::Jail& jail) {
    return {.id = jail.id,
            .name = jail.name,
            .root = jail.spec.root,
            .template_name = jail.spec.template_name,
            .hostname = hostname_of(jail),
            .mode = jail.spec.network.mode,
            .addresses = jail.addresses(),
            .nameservers = jail.spec.network.nameservers,
            .search = jail.spec.network.search,
            .devices = model::devices_with_datasets(jail.spec),
            .devfs_ruleset = jail.spec.devfs_ruleset,
            .bpf = jail.spec.network.asks_dhcp(),
            .base = jail.base};
}

kernel::Restoration restoration_of(const model::Jail& jail) {
    const auto& change = jail.root_change.value();
    return {.jail = jail.id, .from = {.jail = change.from_jail, .id = change.from}, .keep = change.keep};
}

kernel::RootUpgrade upgrade_of(const model::Jail& jail) {
    const auto& change = jail.root_change.value();
    return {.jail = jail.id,
            .kind = jail.spec.root.kind,
            .from = change.base,
            .to = jail.base.value(),
            .mark = change.from};
}

std::vector<std::string> lines_of(const upgrade::MergeReport& report, std::size_t conflicts) {
    std::vector<std::string> lines{
        fmt::format("merged: {} updated, {} merged, {} added, {} removed, {} kept, {} in conflict", report.updated,
                    report.merged, report.added, report.removed, report.kept, report.conflicted)};
    for (const auto& conflict : report.conflicts | std::views::take(conflicts))
        lines.push_back(fmt::format("conflict: /{} ({}){}", conflict.path, upgrade::to_string(conflict.reason),
                                    conflict.written.empty() ? "" : "; the template's is /" + conflict.written));
    if (const auto listed = lines.size() - 1; report.conflicted > listed)
        lines.push_back(fmt::format("and {} conflicts more; what the template has of them lies beside them, as *.new",
                                    report.conflicted - listed));
    return lines;
}

}  // namespace jaild::reconcile
