#include "core/kernel/freebsd/host_checks.h"

#include <unistd.h>

#include <sstream>

#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pure/findings.h"
#include "core/kernel/freebsd/system/sysctl.h"

namespace jaild::kernel::freebsd {
namespace {

using model::Check;
using model::CheckState;

bool is_on(const char* name) {
    const auto value = sysctl::number(name);
    return value && value->value_or(0) != 0;
}

/// kern.module_path: directories, each separated from the next by a semicolon.
bool can_be_loaded(const std::string& module) {
    const auto path = sysctl::text("kern.module_path");
    if (!path || !*path) return false;
    std::istringstream directories(**path);
    for (std::string directory; std::getline(directories, directory, ';');)
        if (::access((directory + "/" + module + ".ko").c_str(), R_OK) == 0) return true;
    return false;
}

}  // namespace

Check check_vimage() {
    return findings::vimage(is_on("kern.features.vimage"));
}

Check check_zfs(const std::string& parent) {
    Check check{.name = "zfs"};
    if (parent.empty()) {
        check.detail = "not used: the roots of jails are directories; zfs_parent in the configuration changes that";
        return check;
    }
    const auto usable = check_zfs_parent(parent);
    if (usable) {
        check.detail = "the roots of new jails are datasets beneath " + parent;
        return check;
    }
    check.state = CheckState::problem;
    check.detail = usable.error().detail;
    check.remedy = usable.error().remedy;
    return check;
}

Check check_racct() {
    using enum findings::Racct;
    if (is_on("kern.racct.enable")) return findings::racct(on);
    return findings::racct(is_on("kern.features.racct") ? off : absent);
}

std::vector<Check> check_modules() {
    using enum findings::Module;
    std::vector<Check> checks;
    for (const std::string name : {"if_epair", "if_bridge", "nullfs", "tmpfs", "fdescfs", "procfs", "pf"})
        checks.push_back(findings::module(name, has_module(name) ? present : can_be_loaded(name) ? loadable : missing));
    const auto level = sysctl::number("kern.securelevel");
    if (auto check = findings::securelevel(level ? level->value_or(-1) : -1)) checks.push_back(*std::move(check));
    return checks;
}

}  // namespace jaild::kernel::freebsd
