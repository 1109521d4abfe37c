#pragma once

#include <map>
#include <vector>

#include "core/kernel/kernel.h"
#include "core/reconcile/plan.h"

/// What is there, from the kernel's ports. Blocking.
namespace jaild::reconcile {

/// All that is there of one jail.
Result<Observed> observe(kernel::Kernel& kernel, const model::Jail& row);
/// The same for one without a row: its limits and parameters are not asked for.
Result<Observed> observe(kernel::Kernel& kernel, JailId id);

/// Everything of this installation, each port asked once, without what is read from a file for each jail. A jail that
/// the kernel knows nothing of has no entry.
Result<std::map<JailId, Observed>> observe_all(kernel::Kernel& kernel);
/// Adds that, and the parameters that its row asks for: `prepared`, `applied`, `jail->parameters`.
Result<void> read_details(kernel::Kernel& kernel, const model::Jail& row, Observed& observed);

/// Adds what is loaded of a jail's rules, compared with `wanted`: empty for one that should have none. `lately`: what
/// is taken as loaded, so that nobody looks. An error is the packet filter's that is off or cannot be read; then
/// nothing is added.
Result<void> observe_rules(kernel::Kernel& kernel, const kernel::JailRules& wanted, Observed& observed,
                           const std::optional<kernel::ObservedJailRules>& lately = {});

/// Firewall::enforceable() for all of a jail's interfaces.
Result<void> enforceable(kernel::Firewall& firewall, const kernel::JailRules& rules);

/// What the row asks for, held to what the running jail was made with: mounts and network belong to that.
/// Errc::not_found when its network does not exist. Mounts and network are left out for one that should not run.
Result<Desired> desire(kernel::Kernel& kernel, const model::Jail& row, const Observed& observed,
                       const std::vector<model::Network>& networks);

/// Of a network's rules in the packet filter.
enum class Rules { looked_at, taken_as_whole };

/// One network. Rules are listed only where the packet filter is available; `firewall_error` says why it is not.
struct NetworkView {
    ObservedNetwork observed;
    std::optional<Error> firewall_error;
};
Result<NetworkView> observe_network(kernel::Kernel& kernel, const model::Network& network,
                                    const std::vector<model::Network>& all, Rules rules = Rules::looked_at);

kernel::RootParameters root_parameters(const model::Jail& jail);
/// Of one whose root is to change.
kernel::Restoration restoration_of(const model::Jail& jail);
kernel::RootUpgrade upgrade_of(const model::Jail& jail);
/// For people: what an upgrade did, or would do; so many conflicts are listed at most.
std::vector<std::string> lines_of(const upgrade::MergeReport& report, std::size_t conflicts = 1'000);

}  // namespace jaild::reconcile
