#include "core/kernel/linux/oci_config.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/kernel/linux/capabilities.h"
#include "core/kernel/linux/file_limits.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/pure/limit_knobs.h"
#include "core/kernel/linux/seccomp.h"
#include "core/kernel/linux/shared_etc.h"

namespace jaild::kernel {

namespace {

using nlohmann::json;

constexpr unsigned kTtyGroup = 5;  // of the terminals, as Debian and devpts(5) have it

json mount(const char* target, const char* type, const char* source, std::vector<std::string> options) {
    return {{"destination", target}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

json bind(const std::string& target, const std::filesystem::path& source, std::vector<std::string> options) {
    options.insert(options.end(), {"bind", "ro", "nosuid", "nodev"});
    return mount(target.c_str(), "bind", source.c_str(), std::move(options));
}

json mounts(const Layout& layout, JailId id) {
    json all = json::array();
    all.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
    all.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}));
    all.push_back(
        mount("/dev/pts", "devpts", "devpts",
              {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=" + std::to_string(kTtyGroup)}));
    all.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
    all.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    all.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
    all.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
    all.push_back(bind(kPausePath, layout.helpers / "jaild-pause", {}));
    std::error_code failed;
    if (!std::filesystem::is_directory(layout.local(id), failed)) return all;  // not a root with template `host`
    for (const SharedDirectory& shared : kSharedDirectories)
        all.push_back(bind(std::string("/") + shared.place, layout.shared_etc() / shared.name, {"noexec"}));
    return all;
}

/// containers-common's lists, of podman 4.3 and of later ones; and the kernel's debug messages, which root may switch
/// on and off there.
json masked_paths() {
    json paths = {"/proc/acpi",
                  "/proc/asound",
                  "/proc/dynamic_debug",
                  "/proc/interrupts",
                  "/proc/kcore",
                  "/proc/keys",
                  "/proc/latency_stats",
                  "/proc/sched_debug",
                  "/proc/scsi",
                  "/proc/timer_list",
                  "/proc/timer_stats",
                  "/sys/dev/block",
                  "/sys/devices/virtual/powercap",
                  "/sys/firmware",
                  "/sys/fs/selinux"};
    // Its counters tell what other processes of the machine do.
    std::error_code failed;
    for (std::filesystem::directory_iterator at("/sys/devices/system/cpu", failed), end; !failed && at != end;
         at.increment(failed)) {
        std::error_code missing;
        const auto thermal = at->path() / "thermal_throttle";
        if (std::filesystem::exists(thermal, missing)) paths.push_back(thermal.string());
    }
    return paths;
}

/// And the tmpfs that holds the hierarchies of cgroup version 1, which runc leaves writable.
json read_only_paths() {
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"};
}

json process(const std::string& apparmor_profile, const model::Limits& limits) {
    json process = {{"terminal", false},
                    {"user", {{"uid", 0}, {"gid", 0}}},
                    {"args", json::array({kPausePath})},
                    {"env", json::array()},
                    {"cwd", "/"},
                    {"capabilities", oci_capabilities()},
                    {"rlimits", oci_rlimits(file_limits::wanted(limits))},
                    {"noNewPrivileges", true},
                    {"oomScoreAdj", 0}};  // the daemon's own protection is not the jail's
    if (!apparmor_profile.empty()) process["apparmorProfile"] = apparmor_profile;
    return process;
}

/// Without one of the kind "network" the runtime's own is taken, which is the daemon's: the host's.
json namespaces(const Layout& layout, const JailParameters& parameters) {
    json all = json::array(
        {{{"type", "pid"}}, {{"type", "mount"}}, {{"type", "uts"}}, {{"type", "ipc"}}, {{"type", "cgroup"}}});
    if (parameters.mode != model::NetworkMode::inherit)
        all.push_back({{"type", "network"}, {"path", netns::path(layout.container(parameters.id))}});
    return all;
}

/// ping(8) without CAP_NET_RAW; podman's default_sysctls. The host's own network stack is not ours to set.
json sysctls(model::NetworkMode mode) {
    json all = json::object();
    if (mode != model::NetworkMode::inherit) all["net.ipv4.ping_group_range"] = "0 0";
    return all;
}

const char* type_of(const Device& device) {
    return device.block ? "b" : "c";
}

/// What may be opened, whoever makes the file; the runtime adds the specification's few.
json device_rules(const std::vector<Device>& devices) {
    json rules = json::array({{{"allow", false}, {"access", "rwm"}}});
    for (const auto& device : devices)
        rules.push_back({{"allow", true},
                         {"type", type_of(device)},
                         {"major", device.major},
                         {"minor", device.minor},
                         {"access", "rw"}});
    return rules;
}

/// Root's own: the host's groups mean nothing in a jail.
json device_files(const std::vector<Device>& devices) {
    json files = json::array();
    for (const auto& device : devices)
        files.push_back({{"path", "/dev/" + device.path},
                         {"type", type_of(device)},
                         {"major", device.major},
                         {"minor", device.minor},
                         {"fileMode", device.mode},
                         {"uid", 0},
                         {"gid", 0}});
    return files;
}

}  // namespace

json oci_capabilities() {
    json names = json::array();
    for (const Capability& capability : kJailCapabilities) names.push_back(capability.name);
    return {{"bounding", names},
            {"effective", names},
            {"permitted", std::move(names)},
            {"inheritable", json::array()},
            {"ambient", json::array()}};
}

json oci_rlimits(const rlimit& files) {
    return json::array({{{"type", "RLIMIT_NOFILE"}, {"soft", files.rlim_cur}, {"hard", files.rlim_max}}});
}

json oci_config(const Layout& layout, const JailParameters& parameters, const std::string& apparmor_profile,
                const std::vector<Device>& devices, const std::optional<cgroups::DiskId>& disk) {
    auto resources = cgroups::oci_limits(parameters.limits);
    if (!parameters.cpus.empty()) resources["cpu"]["cpus"] = parameters.cpus;
    if (disk) resources["blockIO"] = cgroups::oci_throttles(parameters.limits, *disk);
    resources["devices"] = device_rules(devices);
    return {{"ociVersion", "1.0.2"},
            {"process", process(apparmor_profile, parameters.limits)},
            {"root", {{"path", layout.root(parameters.id).string()}, {"readonly", false}}},
            {"hostname", parameters.hostname},
            {"mounts", mounts(layout, parameters.id)},
            {"linux",
             {{"namespaces", namespaces(layout, parameters)},
              {"cgroupsPath", "/" + cgroup_path(layout.instance, parameters.id)},
              {"devices", device_files(devices)},
              {"resources", resources},
              {"sysctl", sysctls(parameters.mode)},
              {"seccomp", oci_seccomp()},
              {"maskedPaths", masked_paths()},
              {"readonlyPaths", read_only_paths()},
              // What we mount or unmount beneath the root later is seen by the jail, and nothing the other way.
              {"rootfsPropagation", "rslave"}}}};
}

}  // namespace jaild::kernel
