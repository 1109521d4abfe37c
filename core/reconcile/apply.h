#pragma once

#include "core/base/units.h"
#include "core/kernel/kernel.h"
#include "core/reconcile/plan.h"

/// Steps done. Each is idempotent; blocking: on the jail's worker.
namespace jaild::reconcile {

/// Does one step of plan(desired, observed). `desired` is what desire() answered. Not for StepKind::forget, which is
/// the journal's, and not for the steps of networks.
Result<void> apply(kernel::Kernel& kernel, const Desired& desired, const Observed& observed, const Step& step);

/// A program of the user's, as the spec says, with the secrets of its environment: apply() and probes are where they
/// are used.
kernel::Program program_of(const model::Jail& jail, const std::vector<std::string>& argv);

/// Does one step of plan_network().
Result<void> apply(kernel::Kernel& kernel, const model::Network& network, const Step& step);

/// It puts files where roots are: ENOSPC of such a step is a full disk, that of others a kernel's table.
bool writes_files(StepKind kind);

/// How long the step may take by its own nature: programs of the user's with their timeout.
Milliseconds allowance(const Desired& desired, const Step& step);

}  // namespace jaild::reconcile
