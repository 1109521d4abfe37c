#include "core/kernel/linux/uts.h"

#include <sched.h>

#include <array>
#include <cerrno>
#include <climits>

#include "core/kernel/linux/own_thread.h"
#include "core/kernel/linux/process_namespace.h"

namespace jaild::kernel::uts {

namespace {

Result<void> enter(const ProcessIdentity& process) {
    const auto space = open_namespace(process, "uts");
    if (!space) return std::unexpected(space.error());
    if (::setns(space->get(), CLONE_NEWUTS) != 0) return std::unexpected(Error::from_errno("setns", errno, "uts"));
    return {};
}

Result<std::optional<std::string>> hostname(const ProcessIdentity& process) {
    if (process.pid == 0) return std::nullopt;
    if (const auto entered = enter(process); !entered) {
        const bool absent = entered.error().code == Errc::not_found || entered.error().code == Errc::conflict;
        if (absent) return std::nullopt;
        return std::unexpected(entered.error());
    }
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size()) != 0) return std::unexpected(Error::from_errno("gethostname", errno));
    return name.data();
}

}  // namespace

Result<std::vector<std::optional<std::string>>> hostnames(const std::vector<ProcessIdentity>& processes) {
    std::vector<std::optional<std::string>> names;
    if (processes.empty()) return names;
    auto read = on_own_thread([&processes, &names]() -> Result<void> {
        for (const auto& process : processes) {
            auto name = hostname(process);
            if (!name) return std::unexpected(name.error());
            names.push_back(*std::move(name));
        }
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return names;
}

Result<void> set_hostname(const ProcessIdentity& process, const std::string& hostname) {
    return on_own_thread([&process, &hostname]() -> Result<void> {
        if (auto entered = enter(process); !entered) return entered;
        if (::sethostname(hostname.data(), hostname.size()) != 0)
            return std::unexpected(Error::from_errno("sethostname", errno, hostname));
        return {};
    });
}

}  // namespace jaild::kernel::uts
