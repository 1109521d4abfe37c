#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/reconcile/applied_record.h"
#include "core/reconcile/plan.h"

/// What a jail is held to now. Pure.
namespace jaild::reconcile {

/// A running jail keeps the restart fields (and addresses) that it was made with until it is made again; all other
/// fields follow the row at once. What its hint does not say any more is taken for what the row asks, but for whose
/// network stack it has. Applying this twice changes nothing more.
struct Effective {
    model::Jail jail;
    std::vector<std::string> waiting;  ///< JSON pointers of the fields that wait for a restart, sorted
};
Effective effective(const model::Jail& row, const Observed& observed);

/// Somebody wants this jail to run.
[[nodiscard]] bool wanted(const model::Jail& jail);
[[nodiscard]] bool alive(const Observed& observed);
/// Another one each time that the jail is made; 0: it does not live.
std::int64_t life_of(const Observed& observed);
[[nodiscard]] bool shim_alive(const Observed& observed);
/// There is no hint at all. A jail that is made, runs or goes has one: somebody deleted it, or it cannot be read.
[[nodiscard]] bool hint_is_lost(const Observed& observed);

/// Where the way to a wanted jail begins.
enum class Situation {
    absent,     ///< nothing runs: build it
    continues,  ///< it lives in the incarnation that is wanted, whole or half-made: add what is missing
    anew,       ///< it must go, and what comes next is a fresh start: a restart, or half-made to another spec
    remade,     ///< it must go, and the same incarnation is made again: it died, its shim did, or its addresses changed
};
Situation situation(const model::Jail& jail, const Observed& observed);

/// A command that ended by itself in a whole jail, or one that is unhealthy and is to be made anew for that, and what
/// its restart policy makes of it.
struct EndedCommand {
    model::LastExit exit;
    Restarts before;
    Answer answer = Answer::leave;
};
/// Nothing while it runs, or was not run, or is being restarted already. Whoever killed a jail that was given up, or
/// took down its host, asks for a new try.
std::optional<EndedCommand> ended_command(const model::Jail& jail, const Observed& observed);
/// That was answered with a restart already, which began, and the old life of the jail is not at its end.
bool is_restarting(const model::Jail& jail, const Observed& observed);
/// One that it depends on was made anew since it was itself, is up again, and is to take it along; its name.
std::optional<std::string> left_behind(const model::Jail& jail, const Observed& observed);
/// Those of this incarnation so far.
Restarts restarts_of(const model::Jail& jail, const Observed& observed);

/// It may be made anew though its command runs, which is run again then, whatever the restart policy says.
[[nodiscard]] bool may_be_remade(const model::JailSpec& spec);

/// The command must not be run: it was, in this incarnation, in an earlier life of the jail, and its restart policy
/// leaves it at that.
bool command_spent(const model::Jail& jail, const Observed& observed);

/// The hint written when a jail begins to go, before it is made, and after its last step. The first is not the same as
/// no hint at all: that is one that got lost.
kernel::Applied stopped_record(const model::Jail& jail, const Observed& observed);
kernel::Applied begun_record(const model::Jail& jail, const Observed& observed);
kernel::Applied done_record(const model::Jail& jail, const Observed& observed);
/// The hint written before a running jail is given a parameter or a mount that it was not made with: whatever happens
/// then, it is known that only a restart takes the one away, and that the other is ours. Nothing when it says so
/// already.
std::optional<kernel::Applied> change_record(const model::Jail& jail, const Observed& observed);

/// A life of the jail that the host's hooks know of has not come to its end: poststop has to run, if it has one.
[[nodiscard]] bool hooks_are_due(const model::Jail& jail, const Observed& observed);
/// A start that was broken off before the jail was made, in the hands of its shim: nothing of it is to be undone.
[[nodiscard]] bool start_goes_on(const model::Jail& jail, const Observed& observed);

/// What is mounted in a running jail as it was asked for, and is not asked for any more: "root/srv/data", what is
/// beneath another before that.
std::vector<std::string> stale_mounts(const model::Jail& jail, const Observed& observed);

/// The datasets that a living jail was given, or is about to be, as its hint says. No kernel tells.
std::vector<std::string> given_datasets(const Observed& observed);

/// A running jail's parameters are not what they should be. Its root may raise the securelevel: that is no harm, but a
/// new generation sets it.
[[nodiscard]] bool parameters_differ(const model::Jail& jail, const Observed& observed);
/// The rules on its name are not those of its spec.
[[nodiscard]] bool limits_differ(const model::Jail& jail, const Observed& observed);
/// It has limits, and this kernel enforces none: it must not run.
[[nodiscard]] bool unenforced(const model::Jail& jail, const Observed& observed);
kernel::LimitSubject limit_subject(const model::Jail& jail);

/// The links that a jail on these networks has, one for each of its interfaces: assigned addresses, and the default
/// route of each family by the first interface whose network has a gateway of that family.
std::vector<kernel::LinkParameters> link_parameters(const model::Jail& jail,
                                                    const std::vector<model::Network>& networks);
/// The name inside of one of the spec's interfaces.
std::string interface_name(const model::Jail& jail, unsigned index);
/// Its row asks for a link to that network.
bool on_network(const model::Jail& jail, const model::Network& network);
/// Its interfaces as a packet filter knows them; none without a network stack of its own.
std::vector<kernel::Endpoint> endpoints_of(const model::Jail& jail, const std::vector<model::Network>& networks);
/// It asks for a policy that must be enforced, or it does not run.
[[nodiscard]] bool confined(const model::Jail& jail);
/// With NetworkMode::alias: its addresses on interfaces of the host, in the order of the spec.
std::vector<kernel::Alias> aliases_of(const model::Jail& jail);
/// What a kernel is told of a jail: the parameters of its spec, those that its datasets need and, with
/// NetworkMode::alias, "ip4.addr" and "ip6.addr", in the order in which FreeBSD's keeps them: the first of the spec
/// first, the others sorted (kern_jail.c).
model::Parameters kernel_parameters(const model::Jail& jail);
/// spec.hostname, or the jail's name.
std::string hostname_of(const model::Jail& jail);

}  // namespace jaild::reconcile
