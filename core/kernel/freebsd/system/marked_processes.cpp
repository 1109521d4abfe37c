#include "core/kernel/freebsd/system/marked_processes.h"

#include "core/kernel/freebsd/system/process_table.h"

namespace jaild::kernel::freebsd {

Result<std::vector<MarkedProcess>> processes_of(int jid, const std::string& program) {
    const auto all = process_table();
    if (!all) return std::unexpected(all.error());
    std::vector<MarkedProcess> found;
    for (const auto& one : *all) {
        if (one.jid != jid || one.zombie() || program != one.name) continue;
        found.push_back({.pid = one.pid,
                         .started = one.started,
                         .user = one.user,
                         .title = process_title(one.pid),
                         .environment = process_environment(one.pid)});
    }
    return found;
}

}  // namespace jaild::kernel::freebsd
