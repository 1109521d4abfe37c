#include "core/kernel/freebsd/system/cpus.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/cpuset.h>

#include <cerrno>

#include "core/model/cpus.h"

namespace jaild::kernel::freebsd::cpus {
namespace {

constexpr id_t kHostSet = 1;

Result<std::string> read(cpuwhich_t which, id_t id) {
    cpuset_t mask;
    CPU_ZERO(&mask);
    if (::cpuset_getaffinity(CPU_LEVEL_WHICH, which, id, sizeof mask, &mask) != 0)
        return std::unexpected(Error::from_errno("cpuset_getaffinity", errno));
    model::Cpus found;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &mask)) found.insert(cpu);
    return model::to_string(found);
}

}  // namespace

Result<std::string> of_host() {
    return read(CPU_WHICH_CPUSET, kHostSet);
}

Result<std::string> of_jail(int jid) {
    return read(CPU_WHICH_JAIL, static_cast<id_t>(jid));
}

Result<void> set(int jid, const std::string& cpus) {
    cpuset_t mask;
    CPU_ZERO(&mask);
    for (const auto cpu : model::parse_cpus(cpus).value_or(model::Cpus{})) CPU_SET(cpu, &mask);
    if (::cpuset_setaffinity(CPU_LEVEL_WHICH, CPU_WHICH_JAIL, static_cast<id_t>(jid), sizeof mask, &mask) == 0)
        return {};
    auto error = Error::from_errno("cpuset_setaffinity", errno, cpus);
    if (error.sys == EDEADLK)
        error.remedy = "a process of the jail has chosen others by cpuset(1): end it, or restart the jail";
    return std::unexpected(std::move(error));
}

}  // namespace jaild::kernel::freebsd::cpus
