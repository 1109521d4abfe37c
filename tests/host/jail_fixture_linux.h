#pragma once

#include <filesystem>
#include <string>

#include "core/kernel/linux/jails.h"
#include "core/kernel/linux/mounts.h"
#include "core/kernel/linux/roots.h"
#include "tests/host/test_host.h"
#include "tests/host/text_files.h"
#include "tests/results.h"

namespace jaild::test {

inline constexpr JailId kJail{1};

/// Jails of a real kernel without a daemon and without a shim: the runtime is run directly, and process 1 of a jail is
/// left to the machine's own init. All that it made is gone with it, also when a test fails.
struct JailFixture {
    TestHost host;
    kernel::Layout layout{options(host)};
    kernel::Runtime runtime{layout, run_directly};
    kernel::LinuxMounts mounts{options(host), [this](JailId id) { return first_process(id); }};
    kernel::LinuxRoots roots{layout, mounts};
    kernel::LinuxJails jails{layout, runtime, value_of(kernel::cgroups::hierarchies())};

    JailFixture() = default;

    static kernel::DriverOptions options(const TestHost& host);
    static Result<Completed> run_directly(JailId id, const Argv& argv, const std::filesystem::path& pid_file,
                                          Milliseconds timeout);

    [[nodiscard]] static kernel::RootParameters root_parameters(JailId id, const model::RootSpec& root = {});
    [[nodiscard]] static kernel::JailParameters jail_parameters(JailId id);

    /// Root prepared, refreshed and mounted.
    void mount_root(JailId id, const model::RootSpec& root = {});
    void mount_root(const kernel::RootParameters& parameters);
    void unmount_root(JailId id);
    /// The same and a running jail in it.
    void start(JailId id, const model::RootSpec& root = {});
    void start(const kernel::RootParameters& parameters);

    [[nodiscard]] std::int64_t process_of(JailId id) const;
    [[nodiscard]] std::optional<kernel::ProcessIdentity> first_process(JailId id) const;
    kernel::ObservedJail observed(JailId id);
    /// Runs a program in the jail, as the shim does it: with the runtime's exec.
    [[nodiscard]] Completed in_jail(JailId id, const Argv& argv) const;
    /// A line of sh(1) there: its exit code, its output without the last newline.
    [[nodiscard]] int status_in_jail(JailId id, const std::string& line) const;
    [[nodiscard]] std::string output_in_jail(JailId id, const std::string& line) const;
};

/// A directory that a root of kind path can be: a static busybox tree is not needed, the runtime only mounts on it.
void make_path_root(const std::filesystem::path& directory);

}  // namespace jaild::test
