#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/kernel/firewall.h"
#include "core/kernel/jails.h"
#include "core/kernel/limits.h"
#include "core/kernel/links.h"
#include "core/kernel/mounts.h"
#include "core/kernel/processes.h"
#include "core/kernel/roots.h"
#include "core/model/jail.h"
#include "core/model/network.h"

/// From what is wanted and what is there to the steps between: pure functions, no I/O, no clock, no randomness.
namespace jaild::reconcile {

/// A jail that another one needs, and that does not run.
struct Awaited {
    std::string text;     ///< "db, which is stopped"
    bool coming = false;  ///< it is on its way
};

struct Desired {
    model::Jail jail;                           ///< status unused
    std::vector<kernel::Mount> mounts;          ///< what Roots::mounts answered
    std::vector<model::Network> networks;       ///< one for each of its interfaces
    std::vector<kernel::HostEntry> neighbours;  ///< only for refresh_root
    std::optional<kernel::JailRules> rules{};   ///< with mode vnet
    std::vector<Awaited> waits_for{};           ///< jails that it does not start without, and that are not up
    std::vector<std::string> needed_by{};       ///< jails that are to be stopped before it, and that are up
    bool due = false;                           ///< if its restart policy makes it anew, then now
};

/// A jail whose policy cannot be enforced is not started; one that runs is stopped when that lasts, not for the moment
/// in which somebody loads the packet filter anew.
enum class Unfiltered { no, briefly, lasting };

struct Observed {
    bool directory = false;  ///< `<state>/jails/<id>` exists
    bool prepared = false;   ///< its root is made
    bool staged = false;     ///< what its root is to become is at hand
    std::optional<kernel::ObservedJail> jail;
    std::optional<kernel::ObservedShim> shim;
    std::vector<kernel::ObservedMount> mounts;
    std::vector<kernel::ObservedLink> links;  ///< in the order of their interfaces
    std::vector<kernel::ObservedAlias> aliases;
    std::optional<kernel::ObservedLimits> limits;      ///< nothing: nobody looked, so that they count as they should be
    std::optional<kernel::ObservedStorage> storage{};  ///< the same
    std::optional<kernel::ObservedJailRules> rules{};  ///< the same; also without a packet filter
    Unfiltered unfiltered = Unfiltered::no;            ///< its policy cannot be enforced
    std::optional<model::LastExit> unhealthy{};        ///< it is to be made anew because its probes fail
    std::map<std::string, std::int64_t> lives{};       ///< life_of() those that it depends on and that are up, by key
    kernel::Applied applied;
    bool operator==(const Observed&) const = default;
};

enum class StepKind {
    stage_root,
    restore_root,
    take_snapshot,
    upgrade_root,
    judge_upgrade,
    prepare_root,
    refresh_root,
    set_storage,
    mount,
    unmount,
    hold,
    reset,
    ensure_limits,
    remove_limits,
    record_begun,
    exec_prestart,
    create_jail,
    exec_created,
    attach_dataset,
    record_change,
    ensure_alias,
    update_jail,
    remove_alias,
    ensure_firewall,
    remove_firewall,
    ensure_link,
    exec_start,
    start_command,
    watch_processes,
    exec_poststart,
    record_done,
    exec_prestop,
    exec_stop,
    detach_dataset,
    record_stopped,
    stop_command,
    destroy_link,
    remove_jail,
    exec_poststop,
    record_poststop,
    release,
    remove_root,
    forget,
    ensure_bridge,
    enable_forwarding,
    apply_rules,
    remove_rules,
    remove_bridge,  ///< the last one: failpoints()
};
std::string_view to_string(StepKind kind);
StepKind step_of(model::Hook hook);
/// Nothing for a step that is no hook.
std::optional<model::Hook> hook_of(StepKind kind);

/// Names of the moments that core/base/failpoint.h can strike at: each kind of step, and "settle", where the outcome is
/// written.
std::vector<std::string_view> failpoints();
inline constexpr std::string_view kSettle = "settle";

/// One idempotent step. `object` names what it works on: "root/usr", "vnet0", "default".
struct Step {
    StepKind kind;
    std::string object{};
    std::optional<kernel::Mount> mount{};
    std::string source{};    ///< of what an unmount takes away, for people; may be empty
    unsigned interface = 0;  ///< its index, of a link
    std::optional<kernel::Alias> alias{};
    bool operator==(const Step&) const = default;
    /// "mount root/usr", "unmount root/srv (/dev/sda1[/data])": for plans, progress and events.
    [[nodiscard]] std::string to_string() const;
};

using Plan = std::vector<Step>;

/// Empty when nothing is left to do now: the jail is as wanted, or it is being removed and still dying. Otherwise steps
/// in the order in which they must be done; after a teardown the rest is left to the next look: what was removed may be
/// there still.
Plan plan(const Desired& desired, const Observed& observed);

/// The plan begins a start by the jail's restart policy.
bool is_restart(const Desired& desired, const Observed& observed);

/// True if a plan that is not empty means that somebody disturbed the jail: it should run, and was complete under this
/// generation and incarnation.
bool is_drift(const Desired& desired, const Observed& observed);

struct DesiredNetwork {
    model::Network network;
    bool in_use = false;  ///< by a jail that runs, should run, or has a link left
    bool manage_forwarding = true;
};

struct ObservedNetwork {
    std::optional<kernel::ObservedBridge> bridge;
    bool forwarding4 = false;
    bool forwarding6 = false;
    bool firewall = false;  ///< available
    std::optional<kernel::ObservedRules> rules;
};

Plan plan_network(const DesiredNetwork& desired, const ObservedNetwork& observed);

}  // namespace jaild::reconcile
