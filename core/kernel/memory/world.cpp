#include "core/kernel/memory/world.h"

#include <algorithm>
#include <csignal>

namespace jaild::kernel::memory {

Prison* World::prison(JailId id) {
    auto found = std::ranges::find_if(state.prisons,
                                      [&](const Prison& one) { return one.id == id && one.life != JailLife::dying; });
    return found == state.prisons.end() ? nullptr : &*found;
}

bool World::any_prison(JailId id) const {
    return std::ranges::any_of(state.prisons, [&](const Prison& one) { return one.id == id; });
}

Prison* World::prison_of(std::int64_t jid) {
    auto found = std::ranges::find(state.prisons, jid, &Prison::jid);
    return found == state.prisons.end() ? nullptr : &*found;
}

Directory* World::directory(JailId id) {
    auto found = state.directories.find(id);
    return found == state.directories.end() ? nullptr : &found->second;
}

Pair* World::pair_in(std::int64_t jid, unsigned index) {
    auto found =
        std::ranges::find_if(state.pairs, [&](const Pair& one) { return one.jid == jid && one.owner.index == index; });
    return found == state.pairs.end() ? nullptr : &*found;
}

std::vector<const Pair*> World::pairs_in(std::int64_t jid) const {
    std::vector<const Pair*> found;
    for (const auto& pair : state.pairs)
        if (pair.jid == jid) found.push_back(&pair);
    return found;
}

bool World::host_has_interface(std::string_view name) const {
    return state.foreign.interfaces.contains(std::string(name)) ||
           std::ranges::any_of(state.bridges, [&](const Bridge& bridge) { return bridge.name == name; }) ||
           std::ranges::any_of(state.pairs, [&](const Pair& pair) { return pair.taken_out && pair.host_name == name; });
}

bool World::foreign_jail(std::string_view name) const {
    return std::ranges::find(state.foreign.jails, name) != state.foreign.jails.end();
}

bool World::any_mount(JailId id) const {
    return std::ranges::any_of(state.mounts, [&](const MountPoint& one) { return one.id == id; });
}

bool World::mounted(JailId id, std::string_view target) const {
    return std::ranges::any_of(state.mounts,
                               [&](const MountPoint& one) { return one.id == id && one.mount.target == target; });
}

bool World::mounted_beneath(JailId id, std::string_view target) const {
    const std::string prefix = std::string(target) + '/';
    return std::ranges::any_of(
        state.mounts, [&](const MountPoint& one) { return one.id == id && one.mount.target.starts_with(prefix); });
}

void World::observe(Scope scope) {
    std::vector<std::int64_t> over;
    for (auto& one : state.prisons) {
        if (one.life == JailLife::dying && owns(one.id, scope) && --one.lingers <= 0) over.push_back(one.jid);
    }
    for (const auto jid : over) take_down(jid);
}

void World::take_down(std::int64_t jid) {
    std::erase_if(state.pairs, [&](const Pair& pair) { return pair.jid == jid; });
    std::erase_if(state.prisons, [&](const Prison& one) { return one.jid == jid; });
}

void World::bury(Prison& prison, int lingers) {
    kill_processes(prison.id);
    if (lingers <= 0) {
        take_down(prison.jid);
        return;
    }
    prison.life = JailLife::dying;
    prison.lingers = lingers;
}

void World::kill_processes(JailId id) {
    for (auto& one : state.mounts) {
        if (one.id == id) one.in_use = false;
    }
    if (auto* held = directory(id); held && held->shim.alive && held->shim.command == CommandState::running) {
        stop_command(id, *held, SIGKILL);
    }
    notifier.changed(id);
}

void World::stop_command(JailId id, Directory& directory, int signal) {
    if (directory.shim.all) return end_command(id, directory, 0, 0, "emptied");
    end_command(id, directory, 128 + signal, signal, "signaled");
}

void World::end_command(JailId id, Directory& directory, int exit_code, int signal, std::string reason) {
    auto& shim = directory.shim;
    shim.command_pid = 0;
    const bool ran = shim.command == CommandState::running && reason != "lost";
    const auto began = ran ? shim.command_began : options.clock->monotonic();
    // The clock may stand still; no two commands of a jail end in the same instant.
    auto at = options.clock->utc();
    if (shim.last_exit) at.milliseconds = std::max(at.milliseconds, shim.last_exit->at.milliseconds + 1);
    shim.last_exit = model::LastExit{.exit_code = exit_code,
                                     .signal = signal,
                                     .reason = std::move(reason),
                                     .at = at,
                                     .ran = std::chrono::ceil<Milliseconds>(options.clock->monotonic() - began)};
    shim.command = CommandState::exited;
    notifier.changed(id);
}

}  // namespace jaild::kernel::memory
