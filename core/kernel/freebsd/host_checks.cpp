#include "core/kernel/freebsd/host_checks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>

#include "core/base/error.h"
#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/freebsd/modules.h"
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
    Check check{.name = "vimage"};
    if (is_on("kern.features.vimage")) {
        check.detail = "jails can have a network stack of their own";
        return check;
    }
    check.state = CheckState::problem;
    check.detail = "this kernel is built without VIMAGE: no jail can have a network stack of its own";
    check.remedy = "add \"options VIMAGE\" to the kernel's configuration, or use GENERIC";
    return check;
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
    Check check{.name = "racct"};
    if (is_on("kern.racct.enable")) {
        check.detail = "limits can be enforced";
        return check;
    }
    check.state = CheckState::warning;
    check.detail = is_on("kern.features.racct") ? "off: a jail with limits is kept stopped"
                                                : "this kernel is built without RACCT: there are no limits";
    check.remedy = "sysrc -f /boot/loader.conf kern.racct.enable=1 && shutdown -r now";
    return check;
}

std::vector<Check> check_modules() {
    std::vector<Check> checks;
    for (const std::string module : {"if_epair", "if_bridge", "nullfs", "tmpfs", "fdescfs", "procfs", "pf"}) {
        const bool there = has_module(module);
        if (!there && !can_be_loaded(module)) {
            checks.push_back({.name = "module_" + module,
                              .state = CheckState::problem,
                              .detail = module + " is neither in the kernel nor in kern.module_path",
                              .remedy = "install the kernel's modules: freebsd-update IDS shows what is missing"});
        } else if (!there) {
            checks.push_back({.name = "module_" + module, .detail = "loaded when it is needed"});
        } else {
            checks.push_back({.name = "module_" + module, .detail = "there"});
        }
    }
    const auto level = sysctl::number("kern.securelevel");
    if (level && level->value_or(-1) > 0)
        checks.push_back({.name = "securelevel",
                          .state = CheckState::warning,
                          .detail = "above 0: no module can be loaded any more, and at 3 no pf rule be changed",
                          .remedy = "sysrc kld_list+=\"if_epair if_bridge nullfs tmpfs fdescfs procfs pf\""});
    return checks;
}

Check check_state_directory(const std::filesystem::path& state) {
    Check check{.name = "state_directory"};
    struct stat status {};
    if (::stat(state.c_str(), &status) != 0) {
        check.state = CheckState::problem;
        check.detail = Error::from_errno("stat", errno, state.string()).to_string();
        return check;
    }
    if (status.st_uid == 0 && (status.st_mode & 077) == 0) {
        check.detail = "only root gets into " + state.string();
        return check;
    }
    check.state = (status.st_mode & 022) != 0 || status.st_uid != 0 ? CheckState::problem : CheckState::warning;
    check.detail = "users of this host get into " + state.string() +
                   ": a jail's root and such a user together can become root of the host";
    check.remedy = "chown root:wheel " + state.string() + " && chmod 700 " + state.string();
    return check;
}

}  // namespace jaild::kernel::freebsd
