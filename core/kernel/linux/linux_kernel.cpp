#include "core/kernel/linux/linux_kernel.h"

#include <spdlog/spdlog.h>

namespace jaild::kernel {

namespace {

Runtime::Helper run_by_shim(ShimProcesses& processes) {
    return [&processes](JailId id, const Argv& argv, const std::filesystem::path& pid_file, Milliseconds timeout) {
        HelperOptions options;
        options.timeout = timeout;
        options.pid_file = pid_file;
        return processes.run_helper(id, argv, options);
    };
}

LinuxMounts::ProcessOf process_by(const Runtime& runtime) {
    return [&runtime](JailId id) -> Result<std::optional<ProcessIdentity>> {
        const auto container = runtime.find(id);
        if (!container) return std::unexpected(container.error());
        if (!*container || !(*container)->alive) return std::nullopt;
        return (*container)->first;
    };
}

}  // namespace

Result<std::unique_ptr<LinuxKernel>> LinuxKernel::create(const DriverOptions& options) {
    auto hierarchies = cgroups::hierarchies();
    if (!hierarchies) return std::unexpected(hierarchies.error());
    auto attacher = std::make_unique<RuncAttacher>(Layout(options));
    auto processes = ShimProcesses::create(
        {.state_directory = options.state_directory, .shim = options.helper_directory / "jaild-shim"}, *attacher);
    if (!processes) return std::unexpected(processes.error());
    JailDirectories(options.state_directory).clear_temporaries();
    return std::unique_ptr<LinuxKernel>(
        new LinuxKernel(options, std::move(attacher), *std::move(processes), *std::move(hierarchies)));
}

LinuxKernel::LinuxKernel(const DriverOptions& options, std::unique_ptr<RuncAttacher> attacher,
                         std::unique_ptr<ShimProcesses> processes, cgroups::Hierarchies hierarchies)
    : attacher_(std::move(attacher)),
      processes_(std::move(processes)),
      runtime_(Layout(options), run_by_shim(*processes_)),
      mounts_(options, process_by(runtime_)),
      roots_(Layout(options), mounts_),
      template_trees_(options.state_directory),
      snapshots_(options.state_directory, mounts_),
      transfers_(options.state_directory, mounts_),
      root_upgrades_(options.state_directory, mounts_),
      jails_(Layout(options), runtime_, std::move(hierarchies)),
      links_(options),
      limits_(Layout(options)),
      stats_(Layout(options), runtime_),
      firewall_(options),
      reach_(Layout(options)),
      host_(options) {}

void LinuxKernel::watch(std::function<void(JailId)> on_change) {
    // Without it the periodic look still finds every change, only later.
    if (auto watched = processes_->watch(std::move(on_change)); !watched)
        spdlog::warn("changes of jails are seen at the next resync only: {}", watched.error().to_string());
}

Result<std::unique_ptr<Kernel>> make_linux_kernel(const DriverOptions& options) {
    auto kernel = LinuxKernel::create(options);
    if (!kernel) return std::unexpected(kernel.error());
    return *std::move(kernel);
}

}  // namespace jaild::kernel
