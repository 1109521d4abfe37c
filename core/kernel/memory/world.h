#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/kernel/kernel.h"
#include "core/kernel/memory/dice.h"
#include "core/kernel/memory/faults.h"
#include "core/kernel/memory/notifier.h"
#include "core/kernel/memory/options.h"
#include "core/kernel/memory/state.h"

namespace jaild::kernel::memory {

/// The state with the rules that several ports share. Every port call holds `mutex` for its whole length; so do the
/// functions here expect it held.
class World {
public:
    World(const DriverOptions& made_with, const MemoryOptions& behaviour)
        : driver(made_with), options(behaviour), nature(behaviour.nature.seed) {}

    DriverOptions driver;
    MemoryOptions options;
    std::mutex mutex;
    State state;
    Faults faults;
    Dice nature;
    Notifier notifier;
    std::vector<std::string> violations;

    /// A rule that our own code must never break was broken.
    void violate(std::string text) { violations.push_back(std::move(text)); }

    [[nodiscard]] bool owns(JailId id, Scope scope) const { return !scope || *scope == id; }

    /// The jail's object that is not dying, or nullptr.
    Prison* prison(JailId id);
    [[nodiscard]] bool any_prison(JailId id) const;
    Prison* prison_of(std::int64_t jid);
    /// `<state>/jails/<id>`, or nullptr.
    Directory* directory(JailId id);
    /// A jail's pair of that index, or nullptr.
    Pair* pair_in(std::int64_t jid, unsigned index);
    [[nodiscard]] std::vector<const Pair*> pairs_in(std::int64_t jid) const;
    [[nodiscard]] bool host_has_interface(std::string_view name) const;
    /// Somebody else's jail has that name.
    [[nodiscard]] bool foreign_jail(std::string_view name) const;
    [[nodiscard]] bool any_mount(JailId id) const;
    [[nodiscard]] bool mounted(JailId id, std::string_view target) const;
    /// Something is mounted on a directory beneath `target`.
    [[nodiscard]] bool mounted_beneath(JailId id, std::string_view target) const;

    /// jail_get(2) was asked: a dying jail comes one observation closer to its end.
    void observe(Scope scope);
    /// The object goes, with its network stack and all that was made in it.
    void take_down(std::int64_t jid);
    /// Removed: gone at once, or dying for `lingers` observations.
    void bury(Prison& prison, int lingers);
    /// SIGKILL to all that runs in a jail; its shim notices.
    void kill_processes(JailId id);

    /// By a signal, or nobody is left of a jail that is watched as a whole.
    void stop_command(JailId id, Directory& directory, int signal);
    void end_command(JailId id, Directory& directory, int exit_code, int signal, std::string reason);
};

}  // namespace jaild::kernel::memory
