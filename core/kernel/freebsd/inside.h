#pragma once

#include <filesystem>
#include <vector>

#include "core/base/error.h"
#include "core/base/spawn.h"
#include "core/kernel/freebsd/pure/dhclient_texts.h"
#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"

namespace jaild::kernel::freebsd {

/// The program jaild-inside: jail_attach(2) is for good, so each piece of work is a process of its own. Blocking, any
/// thread.
class Inside {
public:
    explicit Inside(const std::filesystem::path& helpers) : program_(helpers / "jaild-inside") {}

    /// A jail, whose lo0 is up if it has one of its own, whole or not at all. Errc::conflict "name_in_use".
    [[nodiscard]] Result<int> make(const Parameters& parameters) const;
    /// Those that are there and can be looked into; a jail's root can prevent it.
    [[nodiscard]] Result<std::vector<InsideView>> look(const std::vector<JailReference>& jails) const;
    /// Errc::not_found "jail_not_found". Answers what is there then.
    [[nodiscard]] Result<InsideView> ensure(const JailReference& jail, const InsideLink& link) const;
    [[nodiscard]] Result<void> destroy(const JailReference& jail, unsigned index) const;
    /// Starts the jail's own dhclient(8), which is in the background then. Errc::unsupported "dhcp_client_missing",
    /// Errc::kernel "dhcp_client_failed" with what it said.
    [[nodiscard]] Result<void> start_client(const JailReference& jail, const DhcpClient& client) const;

private:
    [[nodiscard]] Result<std::string> ask(Argv arguments) const;
    [[nodiscard]] Result<InsideView> ask_for_one(Argv arguments) const;
    std::filesystem::path program_;
};

}  // namespace jaild::kernel::freebsd
