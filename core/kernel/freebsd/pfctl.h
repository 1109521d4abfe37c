#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/spawn.h"

/// pfctl(8). Blocking, any thread.
namespace jaild::kernel::freebsd::pfctl {

/// Is pf(4) in this kernel, so that anything can be loaded?
bool is_present();

/// What it prints for these arguments. Errc::busy when others go on loading rules, after some attempts;
/// Errc::kernel "pf_failed" with what it said.
Result<std::string> call(const Argv& arguments, const std::string& input = {});

/// The anchor's translation rules (-sn) and filter rules (-sr), ports as numbers.
struct Shown {
    std::string nat;
    std::string filter;
};
/// `anchor` empty: the main ruleset.
Result<Shown> show(const std::string& anchor);

/// Replaces all that is in the anchor, checked first: a rule that is refused changes nothing.
Result<void> load(const std::string& anchor, const std::string& text);
/// Its rules and its translation rules; then it is gone. The states of connections stay.
Result<void> flush(const std::string& anchor);

}  // namespace jaild::kernel::freebsd::pfctl
