#include "core/kernel/freebsd/freebsd_kernel.h"

#include <spdlog/spdlog.h>

#include "core/upgrade/databases.h"

namespace jaild::kernel {

Result<std::unique_ptr<FreeBsdKernel>> FreeBsdKernel::create(const DriverOptions& options) {
    auto attacher = std::make_unique<JailAttacher>(options);
    auto processes = ShimProcesses::create(
        {.state_directory = options.state_directory, .shim = options.helper_directory / "jaild-shim"}, *attacher);
    if (!processes) return std::unexpected(processes.error());
    JailDirectories(options.state_directory).clear_temporaries();
    return std::unique_ptr<FreeBsdKernel>(new FreeBsdKernel(options, std::move(attacher), *std::move(processes)));
}

FreeBsdKernel::FreeBsdKernel(const DriverOptions& options, std::unique_ptr<JailAttacher> attacher,
                             std::unique_ptr<ShimProcesses> processes)
    : attacher_(std::move(attacher)),
      processes_(std::move(processes)),
      mounts_(options),
      template_trees_(options),
      roots_(options, template_trees_),
      snapshots_(options, mounts_),
      transfers_(options, mounts_),
      root_upgrades_(
          options.state_directory, mounts_,
          {.bring = [this](JailId id) { return roots_.bring(id); },
           .make_databases =
               [](int etc, const std::filesystem::path& scratch) { return upgrade::make_databases(etc, scratch); }}),
      jails_(options),
      delegations_(options),
      links_(options),
      breach_watch_(freebsd::Places(options)),
      limits_(options, breach_watch_),
      stats_(options, *processes_),
      firewall_(options),
      host_(options, firewall_, breach_watch_),
      jail_watch_(freebsd::Places(options)) {}

void FreeBsdKernel::watch(std::function<void(JailId)> on_change) {
    // Without them the periodic look still finds every change, only later.
    const auto warn = [](const Result<void>& watched) {
        if (!watched)
            spdlog::warn("changes of jails are seen at the next resync only: {}", watched.error().to_string());
    };
    if (const auto watched = breach_watch_.start(on_change); !watched)
        spdlog::warn("breaches of limits are not seen: {}", watched.error().to_string());
    warn(jail_watch_.start(on_change));
    warn(processes_->watch(std::move(on_change)));
}

Result<std::unique_ptr<Kernel>> make_freebsd_kernel(const DriverOptions& options) {
    auto kernel = FreeBsdKernel::create(options);
    if (!kernel) return std::unexpected(kernel.error());
    return *std::move(kernel);
}

}  // namespace jaild::kernel
