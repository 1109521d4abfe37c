#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/ascii.h"
#include "core/supervisor_impl.h"

/// What only this host can say of a spec.
namespace jaild {
namespace {

bool parameters_changed(const model::JailSpec& from, const model::JailSpec& to) {
    return from.parameters != to.parameters || from.devfs_ruleset != to.devfs_ruleset || from.devices != to.devices;
}

bool asks_for_aliases(const model::NetworkSpec& from, const model::NetworkSpec& to) {
    return to.mode == model::NetworkMode::alias && from != to;
}

bool has_alias(const model::NetworkSpec& network, const std::string& interface, const Prefix& address) {
    return network.mode == model::NetworkMode::alias &&
           std::ranges::any_of(network.interfaces, [&](const model::InterfaceSpec& one) {
               return one.interface == interface && std::ranges::find(one.addresses, address) != one.addresses.end();
           });
}

/// It has one that is new, or new where the jail is going to be.
bool policy_changed(const model::JailSpec& from, const model::JailSpec& to) {
    return !to.firewall.empty() && (from.firewall != to.firewall || from.network != to.network);
}

/// A mount that was there before is not judged again.
bool has_mount(const model::JailSpec& spec, const model::MountSpec& mount) {
    return std::ranges::find(spec.mounts, mount) != spec.mounts.end();
}

bool mounts_added(const model::JailSpec& from, const model::JailSpec& to) {
    return std::ranges::any_of(to.mounts, [&](const model::MountSpec& one) { return !has_mount(from, one); });
}

/// One that it had before is not judged again: its host may have changed.
bool has_dataset(const model::JailSpec& spec, const std::string& dataset) {
    return std::ranges::find(spec.datasets, dataset) != spec.datasets.end();
}

bool datasets_added(const model::JailSpec& from, const model::JailSpec& to) {
    return std::ranges::any_of(to.datasets, [&](const std::string& one) { return !has_dataset(from, one); });
}

/// One that is new, or new where the jail is going to be.
bool net_probe_changed(const model::JailSpec& from, const model::JailSpec& to) {
    return to.health && to.health->kind != model::ProbeKind::exec &&
           (from.health != to.health || from.network != to.network);
}

Error port_in_use(const model::Publish& wanted, std::size_t index, const std::string& by_whom) {
    return {.code = Errc::conflict,
            .op = "validate",
            .detail = wanted.host_side() + " is " + by_whom,
            .reason = "port_in_use",
            .field = fmt::format("/publish/{}/host_port", index),
            .remedy = "publish another port, or end what has this one"};
}

}  // namespace

bool asks_kernel(const model::JailSpec& from, const model::JailSpec& to) {
    return parameters_changed(from, to) || from.limits != to.limits || from.cpuset != to.cpuset ||
           from.publish != to.publish || policy_changed(from, to) || from.network.interfaces != to.network.interfaces ||
           asks_for_aliases(from.network, to.network) || mounts_added(from, to) || datasets_added(from, to) ||
           from.root.storage != to.root.storage || net_probe_changed(from, to);
}

Result<void> Supervisor::Impl::check_host(const model::JailSpec& spec, const std::string& name) {
    if (auto possible = kernel.roots().check(spec.root, spec.template_name); !possible) return possible;
    if (auto possible = check_clone(spec); !possible) return possible;
    if (auto possible = check_kernel({}, spec); !possible) return possible;
    if (spec.root.kind != model::RootKind::path) return {};
    // The store compares texts; two spellings of one directory are found here.
    std::error_code ignored;
    const auto mine = std::filesystem::canonical(spec.root.path, ignored);
    for (const auto& other : cache.all()) {
        if (other.spec.root.kind != model::RootKind::path || other.name.text() == name) continue;
        if (std::filesystem::canonical(other.spec.root.path, ignored) != mine) continue;
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "validate",
                  .detail = fmt::format("jail \"{}\" already has {} as its root", other.name.text(), mine.string()),
                  .reason = "path_in_use",
                  .field = "/root/path",
                  .remedy = "give each jail a directory of its own"});
    }
    return {};
}

Result<void> Supervisor::Impl::check_clone(const model::JailSpec& spec) {
    if (spec.root.kind != model::RootKind::clone) return {};
    const auto reference = model::TemplateRef::parse(spec.template_name);
    if (!reference) return std::unexpected(reference.error());
    const auto found =
        store::read<model::Template>(store, [&](store::Reader& reader) { return reader.find_template(*reference); });
    return found ? kernel.roots().check_clone(found->id) : std::unexpected(found.error());
}

Result<void> Supervisor::Impl::check_kernel(const model::JailSpec& from, const model::JailSpec& to) {
    if (parameters_changed(from, to))
        if (auto known = kernel.jails().check(to); !known) return known;
    if (from.network.interfaces != to.network.interfaces)
        if (auto possible = kernel.links().check(to.network); !possible) return possible;
    if (from.limits != to.limits && !to.limits.empty()) {
        auto possible = kernel.limits().check(to.limits, to.root.path);
        if (!possible) possible.error().field = "/limits" + possible.error().field;
        if (!possible) return possible;
    }
    if (from.cpuset != to.cpuset && !to.cpuset.empty()) {
        auto possible = kernel.limits().check_cpus(to.cpuset);
        if (!possible) possible.error().field = "/cpuset";
        if (!possible) return possible;
    }
    if (policy_changed(from, to)) {
        auto enforced = check_enforced(to);
        if (!enforced) enforced.error().field = "/firewall";
        if (!enforced) return enforced;
    }
    if (auto possible = check_mounts(from, to); !possible) return possible;
    if (auto possible = check_new_datasets(from, to); !possible) return possible;
    if (auto possible = check_probe(from, to); !possible) return possible;
    if (auto free = check_aliases(from.network, to.network); !free) return free;
    return check_ports_of_host(from, to);
}

Result<void> Supervisor::Impl::check_mounts(const model::JailSpec& from, const model::JailSpec& to) {
    for (std::size_t index = 0; index < to.mounts.size(); ++index) {
        if (has_mount(from, to.mounts[index])) continue;
        auto possible = kernel.mounts().check(kernel::mount_of(to.mounts[index], kernel::RootOwner::user));
        if (possible) continue;
        possible.error().field = fmt::format("/mounts/{}{}", index, possible.error().field);
        return possible;
    }
    return {};
}

/// A probe that comes from the host needs an address of the host on a network of the jail.
Result<void> Supervisor::Impl::check_probe(const model::JailSpec& from, const model::JailSpec& to) {
    if (!net_probe_changed(from, to) || kernel.reach().from_within()) return {};
    const auto mode = to.network.mode;
    if (mode == model::NetworkMode::inherit || mode == model::NetworkMode::alias) return {};
    const auto networks =
        store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
    if (!networks) return std::unexpected(networks.error());
    for (const auto& interface : to.network.interfaces)
        for (const auto& network : *networks)
            for (const auto family : {Family::ipv4, Family::ipv6})
                if (network.name.text() == interface.network && network.is_gateway(family) && !interface.learns(family))
                    return {};
    return std::unexpected(Error{
        .code = Errc::unsupported,
        .op = "validate",
        .detail = "this host has no address on a network of the jail, from which it could ask it",
        .reason = "probe_out_of_reach",
        .field = fmt::format("/health/{}", model::to_string(to.health->kind)),
        .remedy = "use an exec probe, or a network whose gateway is this host, with addresses that it gives out"});
}

Result<void> Supervisor::Impl::check_new_datasets(const model::JailSpec& from, const model::JailSpec& to) {
    for (std::size_t index = 0; index < to.datasets.size(); ++index) {
        if (has_dataset(from, to.datasets[index])) continue;
        auto possible = kernel.delegations().check(to.datasets[index]);
        if (possible) continue;
        possible.error().field = fmt::format("/datasets/{}", index);
        return possible;
    }
    return {};
}

/// The host's directories are an admin's to show, but for those that the configuration lists.
Result<void> Supervisor::Impl::authorize_mounts(const Caller& caller, const model::JailSpec& from,
                                                const model::JailSpec& to) const {
    for (const auto& mount : to.mounts) {
        if (!mount.shows_host() || has_mount(from, mount)) continue;
        if (mount.type == model::MountType::nullfs && kernel.mounts().lists(mount.source)) continue;
        if (auto allowed = authorize(caller, Role::admin, "a mount of " + mount.source); !allowed) return allowed;
    }
    return {};
}

/// Whose among our jails an address is, is the store's to say.
Result<void> Supervisor::Impl::check_aliases(const model::NetworkSpec& from, const model::NetworkSpec& to) {
    if (!asks_for_aliases(from, to)) return {};
    std::vector<JailId> jails;
    for (const auto& jail : cache.all()) jails.push_back(jail.id);
    for (std::size_t index = 0; index < to.interfaces.size(); ++index) {
        const auto& interface = to.interfaces[index].interface;
        const auto& addresses = to.interfaces[index].addresses;
        for (std::size_t which = 0; which < addresses.size(); ++which) {
            if (has_alias(from, interface, addresses[which])) continue;
            auto possible = kernel.links().check_alias({.interface = interface, .address = addresses[which]}, jails);
            if (possible) continue;
            auto& error = possible.error();
            error.field = fmt::format("/network/interfaces/{}/addresses/{}", index, which);
            if (error.reason == "interface_not_found")
                error.field = fmt::format("/network/interfaces/{}/interface", index);
            if (error.reason == "unsupported_network_mode") error.field = "/network/mode";
            return possible;
        }
    }
    return {};
}

/// Its policy, where the jail will be.
Result<void> Supervisor::Impl::check_enforced(const model::JailSpec& spec) {
    auto& firewall = kernel.firewall();
    if (auto enforced = firewall.enforceable(); !enforced) return enforced;
    auto networks =
        store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
    if (!networks) return std::unexpected(networks.error());
    for (const auto& network : *networks) {
        const auto names_it = [&](const model::InterfaceSpec& one) {
            return to_lower(one.network) == network.name.key();
        };
        if (network.bridge.empty() || std::ranges::none_of(spec.network.interfaces, names_it)) continue;
        if (auto enforced = firewall.enforceable_on(network.bridge); !enforced) return enforced;
    }
    return {};
}

/// What its other jails publish is the store's to say.
Result<void> Supervisor::Impl::check_ports_of_host(const model::JailSpec& from, const model::JailSpec& to) {
    for (std::size_t i = 0; i < to.publish.size(); ++i) {
        const auto& wanted = to.publish[i];
        if (std::ranges::find(from.publish, wanted) != from.publish.end()) continue;
        if (auto possible = kernel.firewall().available(); !possible) {
            possible.error().field = "/publish";
            return possible;
        }
        const auto listener = kernel.firewall().listener(wanted);
        if (!listener) return std::unexpected(listener.error());
        if (*listener) return std::unexpected(port_in_use(wanted, i, "in use on this host by " + **listener));
    }
    return {};
}

Result<void> check_ports(store::Reader& reader, JailId self, const model::JailSpec& spec) {
    if (spec.publish.empty()) return {};
    auto rows = reader.all_jails();
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) {
        if (row.id == self) continue;
        for (const auto& taken : row.spec.publish)
            for (std::size_t i = 0; i < spec.publish.size(); ++i)
                if (model::collide(taken, spec.publish[i]))
                    return std::unexpected(
                        port_in_use(spec.publish[i], i,
                                    fmt::format("published by jail \"{}\" as {}", row.name.text(), taken.host_side())));
    }
    return {};
}

namespace {

/// The jail that a rule may be about.
struct Subject {
    const model::Name& name;
    const model::JailSpec& spec;
};

/// The interface whose addresses are nobody's to know.
std::optional<std::size_t> learning_interface(const model::JailSpec& spec) {
    const auto& all = spec.network.interfaces;
    const auto found = std::ranges::find_if(all, &model::InterfaceSpec::learns_any);
    return found == all.end() ? std::nullopt : std::optional<std::size_t>(found - all.begin());
}

bool is_about(const model::Peer& peer, const Subject& subject) {
    if (const auto* jail = std::get_if<model::PeerJail>(&peer)) return to_lower(jail->name) == subject.name.key();
    const auto* label = std::get_if<model::PeerLabel>(&peer);
    if (label == nullptr) return false;
    const auto found = subject.spec.labels.find(label->key);
    return found != subject.spec.labels.end() && (!label->value || *label->value == found->second);
}

/// Where the spec has a rule that denies that jail something; empty: nowhere.
std::string denying_rule(const model::FirewallSpec& firewall, const Subject& subject) {
    for (const auto& [policy, place] : {std::pair(&firewall.ingress, "/firewall/ingress/rules/{}/from"),
                                        std::pair(&firewall.egress, "/firewall/egress/rules/{}/to")}) {
        if (!*policy) continue;
        const auto& rules = (*policy)->rules;
        for (std::size_t i = 0; i < rules.size(); ++i)
            if (rules[i].action == model::Action::deny && rules[i].peer && is_about(*rules[i].peer, subject))
                return fmt::format(fmt::runtime(place), i);
    }
    return {};
}

Error unknown_to_rules(const std::string& denied, std::string field, const char* remedy) {
    auto error =
        Error::invalid("learned_address", std::move(field),
                       fmt::format("a rule denies jail \"{}\", whose addresses are learned: no rule knows it by "
                                   "them, and nothing would be denied",
                                   denied));
    error.remedy = remedy;
    return error;
}

}  // namespace

Result<void> check_denied(store::Reader& reader, JailId self, const model::Name& name, const model::JailSpec& spec) {
    const auto learning = learning_interface(spec);
    if (!learning && spec.firewall.empty()) return {};
    auto rows = reader.all_jails();
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) {
        if (row.id == self) continue;
        const Subject other{row.name, row.spec};
        if (learning_interface(row.spec))
            if (auto field = denying_rule(spec.firewall, other); !field.empty())
                return std::unexpected(unknown_to_rules(row.name.text(), std::move(field),
                                                        "deny a network or a CIDR, or give that jail addresses"));
        if (learning && !denying_rule(row.spec.firewall, {name, spec}).empty()) {
            const auto* field = spec.network.interfaces[*learning].dhcp ? "ipv4" : "ipv6";
            return std::unexpected(unknown_to_rules(name.text(),
                                                    fmt::format("/network/interfaces/{}/{}", *learning, field),
                                                    "change the rule, or give this jail addresses of the network's"));
        }
    }
    return {};
}

Supervisor::Impl::Verdict Supervisor::Impl::judge(const model::Name& name, const MakeSpec& make_spec) {
    // The cache may lag behind a commit. What is wrong here is said in the transaction, in its turn.
    auto jail = store::read<model::Jail>(store, [&](store::Reader& reader) { return reader.jail(name); });
    if (!jail) return {};
    auto spec = make_spec(jail->spec);
    if (!spec) return {};
    auto said = check_kernel(jail->spec, *spec);
    if (said && jail->spec.root.storage != spec->root.storage)
        said = kernel.roots().check_storage(jail->id, spec->root.storage);
    return {.from = std::move(jail->spec), .to = *std::move(spec), .said = std::move(said)};
}

}  // namespace jaild
