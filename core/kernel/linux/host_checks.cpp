#include "core/kernel/linux/host_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <utility>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "core/kernel/linux/apparmor.h"
#include "core/kernel/linux/firewall.h"
#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/linux/runtime.h"

namespace jaild::kernel {
namespace {

using model::Check;
using model::CheckState;

constexpr std::pair kOldestKernel{5, 12};

/// "6.1.0-18-amd64": {6, 1}
std::pair<int, int> version_of(std::string_view release) {
    std::pair<int, int> version{0, 0};
    const char* end = release.data() + release.size();
    const auto major = std::from_chars(release.data(), end, version.first);
    if (major.ptr != end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, version.second);
    return version;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

/// How the hierarchies of control groups are mounted.
struct Groups {
    bool version2 = false;
    std::string controllers;  ///< of version 1, "cpu, memory"
    std::string read_only;    ///< one that is, or empty
};

Result<Groups> find_groups() {
    Groups groups;
    auto done = for_each_mount([&groups](const MountEntry& entry) {
        const bool one = entry.type == "cgroup";
        if (!one && entry.type != "cgroup2") return;
        if (entry.read_only()) groups.read_only = entry.point;
        if (one) {
            if (!groups.controllers.empty()) groups.controllers += ", ";
            groups.controllers += std::filesystem::path(entry.point).filename().string();
        } else {
            groups.version2 = true;
        }
    });
    if (!done) return std::unexpected(done.error());
    return groups;
}

/// Does a line of modules.builtin or modules.dep name that module, whatever it is compressed with? They write
/// "kernel/net/bridge/bridge.ko.xz: …".
bool names_module(std::string_view text, std::string_view module) {
    const std::string wanted = fmt::format("/{}.ko", module);
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const auto path = line.substr(0, line.find(':'));
        const auto at = path.rfind('/');
        if (at != std::string_view::npos && path.substr(at).starts_with(wanted)) return true;
    }
    return false;
}

}  // namespace

Check check_kernel(std::string_view release) {
    Check check{.name = "kernel", .detail = fmt::format("Linux {}", release)};
    if (version_of(release) < kOldestKernel) {
        check.state = CheckState::problem;
        check.detail += fmt::format(": jaild needs {}.{} or newer, for mount_setattr(2)", kOldestKernel.first,
                                    kOldestKernel.second);
        check.remedy = "install a newer kernel and reboot";
    }
    return check;
}

std::vector<Check> check_modules(std::string_view release, const std::filesystem::path& sys,
                                 const std::filesystem::path& modules) {
    constexpr std::size_t kLimit = 16 << 20;
    const auto directory = modules / release;
    const auto built_in = files::read(directory / "modules.builtin", kLimit);
    const auto loadable = files::read(directory / "modules.dep", kLimit);
    std::vector<Check> checks;
    for (const char* module : {"veth", "bridge", "nf_tables"}) {
        Check check{.name = fmt::format("module_{}", module)};
        std::error_code error;
        if (std::filesystem::exists(sys / "module" / module, error) || (built_in && names_module(*built_in, module))) {
            check.detail = "there";
        } else if (loadable && names_module(*loadable, module)) {
            check.detail = "loaded when it is needed";
        } else if (!built_in && !loadable) {
            check.detail = fmt::format("not known: there is no {}", directory.string());
        } else {
            check.state = CheckState::problem;
            check.detail = fmt::format("{} is neither in this kernel nor in {}", module, directory.string());
            check.remedy =
                fmt::format("apt-get install linux-image-{}, or reboot into the kernel that is installed", release);
        }
        checks.push_back(std::move(check));
    }
    return checks;
}

Check check_runtime() {
    Check check{.name = "oci_runtime"};
    const auto program = Runtime::program();
    if (!program) {
        check.state = CheckState::problem;
        check.detail = program.error().detail;
        check.remedy = program.error().remedy;
        return check;
    }
    const auto version = run({*program, "--version"});
    if (!version || version->exit_code != 0) {
        check.state = CheckState::problem;
        check.detail = version ? fmt::format("{} --version fails: {}", *program, first_line(version->error_output))
                               : version.error().to_string();
        check.remedy = "apt-get install --reinstall runc";
        return check;
    }
    check.detail = fmt::format("{}: {}", *program, first_line(version->output));
    return check;
}

Check check_cgroups() {
    Check check{.name = "cgroups"};
    const auto groups = find_groups();
    if (!groups) {
        check.state = CheckState::problem;
        check.detail = groups.error().to_string();
    } else if (!groups->version2 && groups->controllers.empty()) {
        check.state = CheckState::problem;
        check.detail = "no control groups are mounted";
        check.remedy = "mount -t cgroup2 none /sys/fs/cgroup";
    } else {
        check.detail = groups->controllers.empty() ? "version 2" : "version 1: " + groups->controllers;
        if (groups->read_only.empty()) return check;
        check.state = CheckState::problem;
        check.detail += fmt::format("; {} is mounted read-only", groups->read_only);
        check.remedy = fmt::format("mount -o remount,rw {}", groups->read_only);
    }
    return check;
}

Check check_nftables(const DriverOptions& options) {
    Check check{.name = "nftables"};
    LinuxFirewall firewall(options);
    const auto available = firewall.available();
    if (available) {
        check.detail = "jaild's rules can be loaded";
        return check;
    }
    check.state = CheckState::problem;
    check.detail = available.error().detail;
    check.remedy = available.error().remedy;
    return check;
}

Check check_mandatory_access(const std::filesystem::path& sys) {
    Check check{.name = "mandatory_access"};
    const auto enforce = files::read(sys / "fs/selinux/enforce", 16);
    const auto apparmor = apparmor::state(sys);
    if (enforce && enforce->starts_with('1')) {
        check.state = CheckState::warning;
        check.detail =
            "SELinux enforces, but jaild gives its jails no label of their own: they are confined by namespaces, "
            "capabilities, seccomp and mounts only";
        check.remedy = "keep jails that you do not trust on a host with AppArmor";
    } else if (apparmor == apparmor::State::loaded) {
        check.detail = fmt::format("AppArmor, profile {}", apparmor::kProfile);
    } else if (apparmor == apparmor::State::off) {
        check.detail = "neither AppArmor nor SELinux is on";
    } else if (run({"apparmor_parser", "--version"})) {
        check.detail = fmt::format("AppArmor; its profile {} is loaded when a jail starts", apparmor::kProfile);
    } else {
        check.state = CheckState::warning;
        check.detail = fmt::format(
            "AppArmor is on, but there is no apparmor_parser to load its profile {}: jails are confined by namespaces, "
            "capabilities, seccomp and mounts only",
            apparmor::kProfile);
        check.remedy = "apt-get install apparmor, then restart the jails";
    }
    return check;
}

}  // namespace jaild::kernel
