#pragma once

#include <functional>
#include <string>

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/kernel/freebsd/pure/inside_text.h"

namespace jaild::inside {

/// Makes a process fit to be seen by a jail's root: it cannot be traced or dumped, and holds no descriptor beyond
/// `last`.
Result<void> shed_host(int last);

/// jail_attach(2) of this process, for good, after a last look whether the jail is still the one that is meant.
/// Errc::not_found "jail_not_found".
Result<void> enter(const kernel::freebsd::JailReference& jail);

/// Runs `work` in a child that entered the jail, and answers its text or its error. The child ends with it, and after
/// `patience` at the latest.
Result<std::string> visit(const kernel::freebsd::JailReference& jail, Milliseconds patience,
                          const std::function<Result<std::string>()>& work);

}  // namespace jaild::inside
