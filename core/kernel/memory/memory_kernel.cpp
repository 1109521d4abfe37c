#include "core/kernel/memory/memory_kernel.h"

namespace jaild::kernel {

MemoryKernel::MemoryKernel(const DriverOptions& driver, const memory::MemoryOptions& options)
    : world_(driver, options),
      jails_(world_),
      processes_(world_),
      roots_(world_),
      template_trees_(driver.state_directory),
      snapshots_(world_),
      transfers_(world_),
      root_upgrades_(world_),
      mounts_(world_),
      delegations_(world_),
      links_(world_),
      limits_(world_),
      stats_(world_),
      firewall_(world_),
      reach_(world_),
      host_(world_),
      hand_(world_) {}

void MemoryKernel::watch(std::function<void(JailId)> on_change) {
    world_.notifier.watch(std::move(on_change));
}

void MemoryKernel::set_nature(const memory::Nature& nature) {
    std::lock_guard lock(world_.mutex);
    world_.options.nature = nature;
    world_.nature = memory::Dice(nature.seed);
}

memory::State MemoryKernel::state() const {
    std::lock_guard lock(world_.mutex);
    return world_.state;
}

std::string MemoryKernel::describe() const {
    std::lock_guard lock(world_.mutex);
    return memory::describe(world_.state, world_.driver.instance);
}

std::vector<std::string> MemoryKernel::violations() const {
    std::lock_guard lock(world_.mutex);
    return world_.violations;
}

Result<std::unique_ptr<Kernel>> make_memory_kernel(const DriverOptions& options) {
    return std::make_unique<MemoryKernel>(options);
}

}  // namespace jaild::kernel
