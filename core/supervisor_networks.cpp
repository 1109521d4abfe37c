#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/subnet.h"
#include "core/supervisor_impl.h"

/// Networks: reads and changes.
namespace jaild {
namespace {

constexpr std::string_view kDefaultNetwork = "default";
/// Carries a dry run's result out of a transaction that must be undone.
constexpr std::string_view kDryNetwork = "dry_run";
/// What an Idempotency-Key is kept with, in the place of an operation.
constexpr std::string_view kKeptNetwork = "network:";

Result<void> check_tag(const model::Network& network, const Precondition& precondition) {
    if (precondition.if_none_match)
        return std::unexpected(Error{.code = Errc::stale,
                                     .op = "precondition",
                                     .detail = fmt::format("network \"{}\" exists already", network.name.text()),
                                     .reason = "etag_mismatch"});
    if (!precondition.if_match || *precondition.if_match == "*" || *precondition.if_match == model::etag(network))
        return {};
    return std::unexpected(Error{.code = Errc::stale,
                                 .op = "precondition",
                                 .detail = fmt::format("network \"{}\" has changed: its entity tag is {} now",
                                                       network.name.text(), model::etag(network)),
                                 .reason = "etag_mismatch",
                                 .remedy = "GET it again, and repeat the change on what you find"});
}

/// Interfaces of the host's are the admin's to give.
Result<void> authorize_interfaces(const Caller& caller, const model::Network* from, const model::Network& to) {
    const auto changes = [&](const auto& field) {
        using Field = std::remove_cvref_t<decltype(field(to))>;
        return field(to) != (from ? field(*from) : Field{});
    };
    if (changes([](const model::Network& one) { return one.bridge; }))
        return authorize(caller, Role::admin, "a choice of a network's bridge");
    if (changes([](const model::Network& one) { return one.uplink; }))
        return authorize(caller, Role::admin, "a choice of a network's uplink");
    if (changes([](const model::Network& one) { return one.vlan; }))
        return authorize(caller, Role::admin, "a choice of a network's vlan");
    return {};
}

const char* subnet_field(Family family) {
    return family == Family::ipv4 ? "/ipv4" : "/ipv6";
}

/// The subnets of the host's own bridge are those of the network on it. FreeBSD has a route to each own address too.
void leave_out(std::vector<Prefix>& used, const std::vector<Prefix>& own) {
    for (const auto& [address, length] : own) {
        std::erase(used, Prefix{.address = address, .length = length}.network());
        std::erase(used, Prefix{.address = address, .length = address.bits()});
    }
}

/// A family that was not mentioned is the bridge's, or left out.
void take_subnets(model::NetworkRequest& request, const std::vector<Prefix>& own) {
    const auto take = [&](Family family, bool& choose, std::optional<Prefix>& subnet) {
        const auto first = std::ranges::find_if(own, [&](const Prefix& one) { return one.address.family == family; });
        if (choose && first != own.end()) subnet = first->network();
        choose = false;
    };
    take(Family::ipv4, request.choose4, request.network.ipv4);
    take(Family::ipv6, request.choose6, request.network.ipv6);
}

/// No jail may get an address that the host knows elsewhere. What belongs to a network of ours is compared with that
/// network's row instead, in the transaction.
Result<void> check_host_prefixes(const model::Network& network, const std::vector<Prefix>& used,
                                 const std::vector<model::Network>& ours) {
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto& subnet = network.subnet(family);
        if (!subnet) continue;
        for (const auto& other : used) {
            if (!other.overlaps(*subnet)) continue;
            const auto covers = [&](const Prefix& one) { return one.overlaps(other) && one.length <= other.length; };
            const bool known = std::ranges::any_of(
                ours, [&](const model::Network& one) { return one.subnet(family) && covers(*one.subnet(family)); });
            if (known) continue;
            return std::unexpected(
                Error{.code = Errc::conflict,
                      .op = "check_network",
                      .detail = fmt::format("{} overlaps {}, which this host has on an interface or in a route",
                                            subnet->to_string(), other.to_string()),
                      .reason = "subnet_in_use",
                      .field = subnet_field(family),
                      .remedy = "choose another one, or leave the field out to have one chosen"});
        }
    }
    return {};
}

/// An interface is the uplink of one network, or of several with a VLAN each.
Result<void> check_other_uplinks(const model::Network& network, const std::vector<model::Network>& all) {
    if (network.uplink.empty()) return {};
    for (const auto& other : all) {
        if (other.id == network.id || other.uplink != network.uplink) continue;
        if (network.vlan != 0 && other.vlan != 0 && network.vlan != other.vlan) continue;
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "check_network",
                  .detail = fmt::format("{} is the uplink of network \"{}\"", network.uplink, other.name.text()),
                  .reason = "interface_in_use",
                  .field = "/uplink",
                  .remedy = "name another interface, or that network in the specs of jails"});
    }
    return {};
}

Result<nlohmann::json> without_name(nlohmann::json fields, const model::Name& name) {
    if (!fields.is_object()) return fields;
    const auto named = fields.find("name");
    if (named == fields.end()) return fields;
    if (*named != name.text())
        return std::unexpected(Error::invalid("name_mismatch", "/name", "the name differs from the one in the path"));
    fields.erase(named);
    return fields;
}

}  // namespace

std::vector<std::string> Supervisor::Impl::jails_on(const model::Network& network) const {
    std::vector<std::string> names;
    for (const auto& jail : cache.all()) {
        const auto& interfaces = jail.spec.network.interfaces;
        const bool on_it = std::ranges::any_of(interfaces, [&](const model::InterfaceSpec& one) {
            const auto name = model::Name::parse(one.network);
            return name && name->key() == network.name.key();
        });
        if (on_it) names.push_back(jail.name.text());
    }
    return names;
}

Result<void> Supervisor::Impl::complete(model::NetworkRequest& request, const std::vector<Prefix>& used,
                                        const std::vector<model::Network>& others) {
    auto taken = used;
    for (const auto& other : others)
        for (const auto family : {Family::ipv4, Family::ipv6})
            if (other.subnet(family)) taken.push_back(*other.subnet(family));
    if (request.choose4) {
        auto chosen = choose_ipv4_subnet(taken);
        if (!chosen) return std::unexpected(chosen.error());
        request.network.ipv4 = *chosen;
    }
    if (request.choose6) {
        auto chosen = choose_ipv6_subnet(taken);
        if (!chosen) return std::unexpected(chosen.error());
        request.network.ipv6 = *chosen;
    }
    return {};
}

Result<void> Supervisor::Impl::check_network_host(const model::Network& network, const std::vector<Prefix>& used) {
    if (auto possible = kernel.links().check(network); !possible) return possible;
    // The bridge keeps its jails apart, and the packet filter what they send each other by way of this host.
    if (auto filtered = network.isolated ? kernel.firewall().available() : Result<void>{}; !filtered) {
        filtered.error().field = "/isolated";
        return filtered;
    }
    auto networks =
        store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
    if (!networks) return std::unexpected(networks.error());
    if (auto free = check_other_uplinks(network, *networks); !free) return free;
    auto others = used;
    if (!network.bridge.empty()) {
        const auto own = kernel.links().addresses(network.bridge);
        if (!own) return std::unexpected(own.error());
        leave_out(others, *own);
    }
    return check_host_prefixes(network, others, *networks);
}

Result<void> Supervisor::Impl::tell_of_network(store::Writer& writer, const Caller& caller,
                                               const model::Network& network, std::string_view what,
                                               std::string_view happened) {
    const nlohmann::json data{
        {"network", network.name.text()}, {"generation", network.generation}, {"by", caller.principal}};
    auto event = writer.append_event(fmt::format("network.{}", happened), "", "", data.dump());
    if (!event) return std::unexpected(event.error());
    return writer.append_audit({.principal = caller.principal,
                                .action = fmt::format("network.{}", what),
                                .object = network.name.text(),
                                .outcome = "accepted"});
}

Result<std::optional<model::Network>> Supervisor::Impl::kept_network(store::Reader& reader, const Caller& caller,
                                                                     const Retry& retry) {
    const auto kept = kept_under(reader, caller, retry);
    if (!kept) return std::unexpected(kept.error());
    if (!*kept) return std::nullopt;
    auto networks = reader.networks();
    if (!networks) return std::unexpected(networks.error());
    for (auto& network : *networks)
        if (**kept == fmt::format("{}{}", kKeptNetwork, network.id.value)) return std::move(network);
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "retry",
                                 .detail = "the request under this Idempotency-Key was done before; the network has "
                                           "been removed since",
                                 .reason = "idempotency_key_spent",
                                 .remedy = "use a new key to do it once more"});
}

Result<ShownNetwork> Supervisor::Impl::finish_network(Result<void> written, ShownNetwork shown, DryRun dry_run) {
    const bool undone = !written && written.error().op == kDryNetwork;
    if (!written && !undone) return std::unexpected(written.error());
    shown.jails = jails_on(shown.network);
    if (dry_run == DryRun::yes) {
        auto steps = reconciler.plan_now(shown.network);
        if (!steps) return std::unexpected(steps.error());
        for (const auto& step : *steps) shown.plan.push_back(step.to_string());
        return shown;
    }
    if (!shown.changed) return shown;
    // An address of a family that is new may have come to jails whose rows are as they were else.
    auto rows = store::read<std::vector<model::Jail>>(store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    reconciler.poke_networks();
    for (const auto& row : *rows) {
        if (std::ranges::find(shown.jails, row.name.text()) == shown.jails.end()) continue;
        cache.put(row);
        reconciler.poke(row.id);
    }
    return shown;
}

/// A jail that was told to leave a network runs on it until it is restarted.
Result<void> Supervisor::Impl::check_left(const model::Network& network) {
    const auto held = reconciler.held_on(network.id);
    if (!held) return std::unexpected(held.error());
    if (held->empty()) return {};
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "check_network",
              .detail = fmt::format("jails run on network \"{}\" until they are restarted or stopped: {}",
                                    network.name.text(), fmt::join(*held, ", ")),
              .reason = "network_in_use",
              .remedy = "restart these jails: that takes them to the networks of their specs"});
}

Result<ShownNetwork> Supervisor::Impl::change_network(const Caller& caller, const model::Name& name,
                                                      const MakeNetwork& make, const Precondition& precondition,
                                                      DryRun dry_run) {
    auto before =
        store::read<model::Network>(store, [&](store::Reader& reader) { return reader.network(name.text()); });
    if (!before) return std::unexpected(before.error());
    if (auto current = check_tag(*before, precondition); !current) return std::unexpected(current.error());
    auto wanted = make(*before);
    if (!wanted) return std::unexpected(wanted.error());
    if (auto good = model::check_network(*wanted); !good) return std::unexpected(good.error());
    if (auto allowed = authorize_interfaces(caller, &*before, *wanted); !allowed)
        return std::unexpected(allowed.error());
    const auto jails = jails_on(*before);
    if (wanted->bridge != before->bridge && !jails.empty())
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "change_network",
                  .detail = fmt::format("network \"{}\" has jails: {}", before->name.text(), fmt::join(jails, ", ")),
                  .reason = "network_in_use",
                  .field = "/bridge",
                  .remedy = "make another network, and move the jails to it"});
    if (wanted->ipv4 != before->ipv4 || wanted->ipv6 != before->ipv6 || wanted->bridge != before->bridge)
        if (auto left = check_left(*before); !left) return std::unexpected(left.error());
    if (*wanted != *before) {
        auto used = kernel.links().used_prefixes();
        if (!used) return std::unexpected(used.error());
        if (auto possible = check_network_host(*wanted, *used); !possible) return std::unexpected(possible.error());
    }

    ShownNetwork shown{.network = *wanted};
    auto written = store.write([&](store::Writer& writer) -> Result<void> {
        auto now = writer.network(name.text());
        if (!now) return std::unexpected(now.error());
        if (*now != *before) {
            if (auto current = check_tag(*now, precondition); !current) return current;
            return std::unexpected(Error{.code = Errc::conflict,
                                         .op = "change_network",
                                         .detail = fmt::format("network \"{}\" was changed meanwhile", name.text()),
                                         .reason = "network_busy",
                                         .remedy = "try again"});
        }
        if (*wanted == *before) {
            if (dry_run == DryRun::yes) return std::unexpected(Error{.code = Errc::conflict, .op = kDryNetwork});
            return {};
        }
        auto updated = writer.update_network(*wanted);
        if (!updated) return std::unexpected(updated.error());
        shown.network = *std::move(updated);
        shown.changed = true;
        if (dry_run == DryRun::yes) return std::unexpected(Error{.code = Errc::conflict, .op = kDryNetwork});
        return tell_of_network(writer, caller, shown.network, "change", "changed");
    });
    return finish_network(std::move(written), std::move(shown), dry_run);
}

Result<std::vector<ShownNetwork>> Supervisor::networks(const Caller& caller) {
    if (auto allowed = authorize(caller, Role::viewer, "network.list"); !allowed)
        return std::unexpected(allowed.error());
    auto rows =
        store::read<std::vector<model::Network>>(impl_->store, [](store::Reader& reader) { return reader.networks(); });
    if (!rows) return std::unexpected(rows.error());
    std::vector<ShownNetwork> shown;
    for (auto& row : *rows) {
        auto jails = impl_->jails_on(row);
        shown.push_back({.network = std::move(row), .jails = std::move(jails)});
    }
    return shown;
}

Result<ShownNetwork> Supervisor::network(const Caller& caller, const std::string& name) {
    if (auto allowed = authorize(caller, Role::viewer, "network.get"); !allowed)
        return std::unexpected(allowed.error());
    auto row = store::read<model::Network>(impl_->store, [&](store::Reader& reader) { return reader.network(name); });
    if (!row) return std::unexpected(row.error());
    auto jails = impl_->jails_on(*row);
    return ShownNetwork{.network = *std::move(row), .jails = std::move(jails)};
}

Result<ShownNetwork> Supervisor::create_network(const Caller& caller, model::NetworkRequest request, DryRun dry_run,
                                                Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "network.create"); !allowed)
        return std::unexpected(allowed.error());
    if (auto allowed = authorize_interfaces(caller, nullptr, request.network); !allowed)
        return std::unexpected(allowed.error());
    const auto again = [&](store::Reader& reader) { return impl_->kept_network(reader, caller, retry); };
    auto kept = store::read<std::optional<model::Network>>(impl_->store, again);
    if (!kept) return std::unexpected(kept.error());
    if (*kept) return ShownNetwork{.network = **kept, .jails = impl_->jails_on(**kept), .replayed = true};

    if (!request.network.bridge.empty()) {
        if (auto possible = impl_->kernel.links().check(request.network); !possible)
            return std::unexpected(possible.error());
        const auto own = impl_->kernel.links().addresses(request.network.bridge);
        if (!own) return std::unexpected(own.error());
        take_subnets(request, *own);
    }
    auto used = impl_->kernel.links().used_prefixes();
    if (!used) return std::unexpected(used.error());
    // What will be chosen cannot be in anybody's way: a stand-in that fits is judged in its place.
    auto tried = request;
    auto others =
        store::read<std::vector<model::Network>>(impl_->store, [](store::Reader& reader) { return reader.networks(); });
    if (!others) return std::unexpected(others.error());
    if (auto complete = impl_->complete(tried, *used, *others); !complete) return std::unexpected(complete.error());
    if (auto good = model::check_network(tried.network); !good) return std::unexpected(good.error());
    if (auto possible = impl_->check_network_host(tried.network, *used); !possible)
        return std::unexpected(possible.error());

    ShownNetwork shown{.network = request.network};
    auto written = impl_->store.write([&](store::Writer& writer) -> Result<void> {
        auto known = again(writer);
        if (!known) return std::unexpected(known.error());
        if (*known) {
            shown.network = **std::move(known);
            shown.replayed = true;
            return {};
        }
        auto rows = writer.networks();
        if (!rows) return std::unexpected(rows.error());
        if (auto complete = impl_->complete(request, *used, *rows); !complete) return complete;
        auto made = writer.insert_network(request.network);
        if (!made) return std::unexpected(made.error());
        shown.network = *std::move(made);
        shown.changed = true;
        if (dry_run == DryRun::yes) return std::unexpected(Error{.code = Errc::conflict, .op = kDryNetwork});
        if (auto told = impl_->tell_of_network(writer, caller, shown.network, "create", "created"); !told) return told;
        if (retry.key.empty()) return {};
        return writer.remember(
            caller.principal, retry.key,
            {.fingerprint = retry.fingerprint, .operation = fmt::format("{}{}", kKeptNetwork, shown.network.id.value)});
    });
    return impl_->finish_network(std::move(written), std::move(shown), dry_run);
}

Result<ShownNetwork> Supervisor::patch_network(const Caller& caller, const model::Name& name, nlohmann::json patch,
                                               Precondition precondition, DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "network.change"); !allowed)
        return std::unexpected(allowed.error());
    const auto merged = [&](const model::Network& current) { return model::merge_patch(current, patch); };
    return impl_->change_network(caller, name, merged, precondition, dry_run);
}

Result<ShownNetwork> Supervisor::replace_network(const Caller& caller, const model::Name& name, nlohmann::json fields,
                                                 Precondition precondition, DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "network.change"); !allowed)
        return std::unexpected(allowed.error());
    auto plain = without_name(std::move(fields), name);
    if (!plain) return std::unexpected(plain.error());
    auto known =
        store::read<model::Network>(impl_->store, [&](store::Reader& reader) { return reader.network(name.text()); });
    if (!known && known.error().code != Errc::not_found) return std::unexpected(known.error());
    if (known) {
        if (!precondition.if_match && !precondition.if_none_match)
            return std::unexpected(
                Error{.code = Errc::invalid,
                      .op = "replace",
                      .detail = fmt::format("network \"{}\" exists; PUT needs If-Match", name.text()),
                      .reason = "precondition_required",
                      .remedy = "send the ETag that GET answered, or use PATCH"});
        // A subnet that was chosen once is kept when it is not mentioned.
        const auto replaced = [&](const model::Network& current) -> Result<model::Network> {
            auto request = model::parse_network_fields(current.name, *plain);
            if (!request) return std::unexpected(request.error());
            auto network = std::move(request->network);
            network.id = current.id;
            network.generation = current.generation;
            network.created_at = current.created_at;
            if (request->choose4) network.ipv4 = current.ipv4;
            if (request->choose6) network.ipv6 = current.ipv6;
            return network;
        };
        return impl_->change_network(caller, name, replaced, precondition, dry_run);
    }
    if (precondition.if_match)
        return std::unexpected(Error{.code = Errc::stale,
                                     .op = "replace",
                                     .detail = fmt::format("there is no network \"{}\" to match", name.text()),
                                     .reason = "etag_mismatch"});
    auto request = model::parse_network_fields(name, *plain);
    if (!request) return std::unexpected(request.error());
    return create_network(caller, *std::move(request), dry_run, {});
}

/// Its row as it was.
Result<model::Network> Supervisor::Impl::delete_network(const Caller& caller, const model::Name& name,
                                                        const Precondition& precondition, DryRun dry_run) {
    std::optional<model::Network> gone;
    auto written = store.write([&](store::Writer& writer) -> Result<void> {
        auto network = writer.network(name.text());
        if (!network) return std::unexpected(network.error());
        if (auto current = check_tag(*network, precondition); !current) return current;
        if (network->name.key() == kDefaultNetwork)
            return std::unexpected(Error{.code = Errc::conflict,
                                         .op = "remove_network",
                                         .detail = "jails that name no network are on \"default\"",
                                         .reason = "network_is_default",
                                         .remedy = "change it instead: everything but its name can be"});
        gone = *network;
        if (auto removed = writer.delete_network(*network); !removed) return removed;
        if (dry_run == DryRun::yes) return std::unexpected(Error{.code = Errc::conflict, .op = kDryNetwork});
        return tell_of_network(writer, caller, *network, "remove", "removed");
    });
    const bool undone = !written && written.error().op == kDryNetwork;
    if (!written && !undone) return std::unexpected(written.error());
    return *std::move(gone);
}

Result<ShownNetwork> Supervisor::remove_network(const Caller& caller, const model::Name& name,
                                                Precondition precondition, DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "network.remove"); !allowed)
        return std::unexpected(allowed.error());
    auto network = impl_->delete_network(caller, name, precondition, DryRun::yes);
    if (!network) return std::unexpected(network.error());
    if (auto left = impl_->check_left(*network); !left) return std::unexpected(left.error());
    if (dry_run == DryRun::yes) return ShownNetwork{.network = *std::move(network)};

    if (auto retired = impl_->reconciler.retire(*network); !retired) return std::unexpected(retired.error());
    network = impl_->delete_network(caller, name, precondition, DryRun::no);
    if (!network) return std::unexpected(network.error());
    impl_->reconciler.poke_networks();
    return ShownNetwork{.network = *std::move(network)};
}

}  // namespace jaild
