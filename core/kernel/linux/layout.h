#pragma once

#include <filesystem>
#include <string>

#include "core/base/ids.h"
#include "core/kernel/kernel.h"
#include "core/kernel/names.h"

namespace jaild::kernel {

/// Where the Linux driver keeps things. Pure.
class Layout {
public:
    explicit Layout(const DriverOptions& options)
        : instance(options.instance), state(options.state_directory), helpers(options.helper_directory) {}

    InstanceId instance;
    std::filesystem::path state;
    std::filesystem::path helpers;

    [[nodiscard]] std::filesystem::path jails() const { return state / "jails"; }
    [[nodiscard]] std::filesystem::path jail(JailId id) const { return jails() / std::to_string(id.value); }
    [[nodiscard]] std::filesystem::path root(JailId id) const { return jail(id) / "root"; }
    /// The private /usr/local of a thin root; other roots have none.
    [[nodiscard]] std::filesystem::path local(JailId id) const { return jail(id) / "local"; }
    [[nodiscard]] std::filesystem::path bundle(JailId id) const { return jail(id) / "bundle"; }
    /// What all jails with template `host` see of the host's /etc.
    [[nodiscard]] std::filesystem::path shared_etc() const { return state / "host-etc"; }
    /// The runtime's own state, gone after a reboot like the containers that it describes: run(7) is a tmpfs.
    [[nodiscard]] std::filesystem::path run() const { return "/run/jaild-" + instance.text(); }
    [[nodiscard]] std::filesystem::path runtime_root() const { return run() / "runc"; }
    [[nodiscard]] std::filesystem::path runtime_state(JailId id) const { return runtime_root() / container(id); }
    /// A directory for each DHCP client.
    [[nodiscard]] std::filesystem::path dhcp() const { return run() / "dhcp"; }
    [[nodiscard]] std::string container(JailId id) const { return container_name(instance, id); }
};

}  // namespace jaild::kernel
