#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/ids.h"

namespace jaild::kernel {

/// Datasets of the host's that jails are given to manage themselves (model::JailSpec::datasets). No kernel tells which
/// ones a jail has: what it was made with says so. None is ever made, renamed or destroyed. Blocking, idempotent.
class Delegations {
public:
    virtual ~Delegations() = default;
    /// Can a jail be given that dataset of this host? Errc::unsupported "datasets_unsupported"; Errc::invalid
    /// "dataset_missing", "dataset_refused" (jaild's own, or what the host itself stands on), with remedy. No field.
    virtual Result<void> check(const std::string& dataset) = 0;
    /// Gives it to a jail that lives, once it has been judged again. The host mounts nothing of it from then on,
    /// whoever has it: what a jail's root may have written is nobody else's to follow. Errc::busy "dataset_busy" while
    /// something of it is mounted elsewhere and in use; as check().
    virtual Result<void> attach(JailId id, const std::string& dataset) = 0;
    /// Takes it from the jail, which keeps what it has mounted of it until that is unmounted. One that it does not
    /// have, that is gone, or whose jail is: success.
    virtual Result<void> detach(JailId id, const std::string& dataset) = 0;
};

}  // namespace jaild::kernel
