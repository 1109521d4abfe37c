#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "core/kernel/roots.h"
#include "core/store/reader.h"

namespace jaild::reconcile {

/// Who has which address on which network, as rows say. Pure.
class AddressBook {
public:
    AddressBook() = default;
    explicit AddressBook(std::vector<store::AddressOwner> owners);

    /// What `jail` calls the others on its networks: "web" and "web.default.jaild" for each of their addresses there,
    /// whether they run or not, so that a name means the same as long as its jail exists. Nobody on an isolated
    /// network, whose members cannot reach each other. In the order of the addresses.
    [[nodiscard]] std::vector<kernel::HostEntry> neighbours(JailId jail) const;
    /// Changes when neighbours(jail) does. Costs no walk over them.
    [[nodiscard]] std::uint64_t fingerprint(JailId jail) const;
    [[nodiscard]] bool knows(JailId jail) const { return networks_of_.contains(jail); }

private:
    struct Members {
        std::vector<store::AddressOwner> owners{};
        std::uint64_t hash = 0;
    };
    std::map<NetworkId, Members> networks_;
    std::map<JailId, std::set<NetworkId>> networks_of_;
};

}  // namespace jaild::reconcile
