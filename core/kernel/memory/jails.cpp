#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {

Result<std::vector<ObservedJail>> MemoryJails::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.list"); !met) return std::unexpected(met.error());
    world_.observe(scope);
    std::vector<ObservedJail> listed;
    for (const auto& one : world_.state.prisons) {
        if (!world_.owns(one.id, scope)) continue;
        const bool alive = one.life == JailLife::alive;
        listed.push_back({.id = one.id,
                          .name = one.name,
                          .jid = one.jid,
                          .pid = 0,
                          .alive = alive,
                          .dying = one.life == JailLife::dying,
                          .hostname = alive ? one.hostname : std::string(),
                          .vnet = one.mode == model::NetworkMode::vnet || one.mode == model::NetworkMode::none});
    }
    return listed;
}

Result<void> MemoryJails::check_name(const model::Name& name, JailId) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.check_name"); !met) return met;
    if (world_.foreign_jail(name.text())) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "jail_get",
                                     .detail = fmt::format("a jail that is not ours has the name {}", name.text()),
                                     .reason = "name_in_use"});
    }
    return {};
}

Result<void> MemoryJails::check(const model::JailSpec& spec) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.check"); !met) return met;
    if (auto known = freebsd::to_kernel(spec.parameters, ask_parameter_type); !known)
        return std::unexpected(known.error());
    // The model has no /dev: "missing…" is no device, everything else is one.
    for (std::size_t at = 0; at < spec.devices.size(); ++at)
        if (spec.devices[at].starts_with("missing"))
            return std::unexpected(Error::invalid("device_missing", fmt::format("/devices/{}", at),
                                                  spec.devices[at] + " is no device of this host"));
    if (!spec.devfs_ruleset || world_.options.devfs_rulesets.contains(*spec.devfs_ruleset)) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "devfs",
                                 .detail = fmt::format("devfs ruleset {} is empty", *spec.devfs_ruleset),
                                 .reason = "devfs_ruleset_missing",
                                 .field = "/devfs_ruleset",
                                 .remedy = "service devfs onestart"});
}

Result<model::Parameters> MemoryJails::parameters(JailId id, const std::vector<std::string>& names) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.parameters"); !met) return std::unexpected(met.error());
    model::Parameters found;
    const auto* prison = world_.prison(id);
    if (!prison || prison->life != JailLife::alive) return found;
    for (const auto& name : names) {
        const auto known = freebsd::known_parameter(name, ask_parameter_type);
        if (!known) continue;
        const auto setting = prison->parameters.find(known->name);
        const bool set = setting != prison->parameters.end();
        found.emplace(name, shown(*known, set ? std::optional(setting->second) : std::nullopt));
    }
    return found;
}

Result<void> MemoryJails::check_prerequisites(const JailParameters& parameters) {
    const auto id = parameters.id;
    auto* held = world_.directory(id);
    if (!held || !held->prepared || !held->shim.alive) {
        world_.violate(fmt::format("jail {} is created without a prepared root and a live shim", id.value));
        return std::unexpected(Error::from_errno("jail_set", ENOENT, "the root is not prepared or not held"));
    }
    for (const auto& mount : mounts_for(held->root)) {
        if (world_.mounted(id, mount.target)) continue;
        world_.violate(fmt::format("jail {} is created before {} is mounted", id.value, mount.target));
        return std::unexpected(Error::from_errno("jail_set", ENOENT, mount.target + " is not mounted"));
    }
    return {};
}

/// The first instruction must be limited already, and by nothing that an earlier jail of that name left.
void MemoryJails::check_limits(const JailParameters& parameters) {
    const auto& name = parameters.name.text();
    auto wanted = model::rules_of(parameters.limits);
    auto rules = world_.state.limits.contains(name) ? world_.state.limits.at(name) : std::vector<model::LimitRule>{};
    std::ranges::sort(rules);
    if (rules == wanted) return;
    const bool missing = !std::ranges::includes(rules, wanted);
    world_.violate(fmt::format("jail {} is created {}", parameters.id.value,
                               missing ? "before its limits" : "under limits that nobody asked for"));
}

/// Its first program can bind to each.
void MemoryJails::check_addresses(JailId id, const freebsd::Parameters& chosen) {
    for (const auto& one : chosen) {
        const auto* list = std::get_if<std::vector<IpAddress>>(&one.value);
        if (list == nullptr) continue;
        for (const auto& address : *list) {
            const auto& there = world_.state.host_addresses;
            if (std::ranges::none_of(there, [&](const Alias& alias) { return alias.address.address == address; }))
                world_.violate(
                    fmt::format("jail {} is told of {} before the host has it", id.value, address.to_string()));
        }
    }
}

Result<void> MemoryJails::create(const JailParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.create"); !met) return met;
    if (auto* there = world_.prison(parameters.id)) {
        if (there->life == JailLife::alive) return {};
        return std::unexpected(Error::from_errno("jail_set", EEXIST, "remains of this jail are in the way"));
    }
    const auto& name = parameters.name.text();
    if (world_.foreign_jail(name)) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "jail_set",
                                     .sys = EEXIST,
                                     .detail = fmt::format("a jail that is not ours has the name {}", name),
                                     .reason = "name_in_use"});
    }
    for (const auto& one : world_.state.prisons) {
        if (one.name == name && one.id != parameters.id && one.life != JailLife::dying) {
            world_.violate(fmt::format("two jails of ours are named {}", name));
        }
    }
    if (auto ready = check_prerequisites(parameters); !ready) return ready;
    check_limits(parameters);
    auto chosen = freebsd::to_kernel(parameters.parameters, ask_parameter_type);
    if (!chosen) return std::unexpected(chosen.error());
    check_addresses(parameters.id, *chosen);
    std::int64_t jid = 0;
    auto made = world_.faults.step("jails.create.set", [&]() -> Result<void> {
        jid = ++world_.state.last_jid;
        world_.state.prisons.push_back({.id = parameters.id,
                                        .name = name,
                                        .jid = jid,
                                        .life = JailLife::half,
                                        .mode = parameters.mode,
                                        .devfs_ruleset = parameters.devfs_ruleset,
                                        .devices = parameters.devices,
                                        .cpus = parameters.cpus});
        auto& settings = world_.state.prisons.back().parameters;
        for (auto& one : *chosen) settings[one.name] = std::move(one.value);
        return {};
    });
    if (!made) return made;
    // lo0 up, hostname: until then it counts as remains, because nobody could tell that something is missing.
    return world_.faults.step("jails.create.configure", [&]() -> Result<void> {
        auto* made_jail = world_.prison_of(jid);
        made_jail->hostname = parameters.hostname;
        made_jail->life = JailLife::alive;
        for (auto& one : world_.state.mounts) {
            if (one.id == parameters.id) one.in_use = !one.mount.of_spec;
        }
        return {};
    });
}

Result<void> MemoryJails::update(const JailParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("jails.update", [&]() -> Result<void> {
        auto* there = world_.prison(parameters.id);
        if (!there || there->life != JailLife::alive) {
            return std::unexpected(Error::from_errno("jail_set", ENOENT, "no such jail"));
        }
        auto chosen = freebsd::to_kernel(parameters.parameters, ask_parameter_type);
        if (!chosen) return std::unexpected(chosen.error());
        for (const auto& one : *chosen) {
            if (parameter_type(one.name)->settable == freebsd::Settable::always) continue;
            return std::unexpected(
                Error::from_errno("jail_set", EINVAL, one.name + " cannot be changed after creation"));
        }
        check_addresses(parameters.id, *chosen);
        there->hostname = parameters.hostname;
        for (auto& one : *chosen) there->parameters[one.name] = std::move(one.value);
        return {};
    });
}

Result<void> MemoryJails::remove(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.remove"); !met) return met;
    auto* there = world_.prison(id);
    if (!there) return {};
    if (std::ranges::any_of(world_.pairs_in(there->jid), [](const Pair* pair) { return pair->taken_out; })) {
        // It would return only when the last reference to the jail drops, and its network stack answers until then.
        world_.violate(fmt::format("jail {} is removed before its link", id.value));
    }
    auto killed = world_.faults.step("jails.remove.kill", [&]() -> Result<void> {
        world_.kill_processes(id);
        there->life = JailLife::dead;
        return {};
    });
    if (!killed) return killed;
    return world_.faults.step("jails.remove.remove", [&]() -> Result<void> {
        const auto& nature = world_.options.nature;
        const bool lingers = world_.nature.chance(nature.linger);
        world_.bury(*there, lingers ? static_cast<int>(world_.nature.between(1, nature.linger_rounds)) : 0);
        return {};
    });
}

Result<Applied> MemoryJails::applied(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("jails.applied"); !met) return std::unexpected(met.error());
    auto* held = world_.directory(id);
    return held && held->applied ? *held->applied : Applied{};
}

Result<void> MemoryJails::record(JailId id, const Applied& applied) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("jails.record", [&]() -> Result<void> {
        auto* held = world_.directory(id);
        if (!held) return std::unexpected(Error::from_errno("rename", ENOENT, "the jail has no directory"));
        held->applied = applied;
        return {};
    });
}

}  // namespace jaild::kernel::memory
