#include "core/reconcile/address_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

namespace jaild::reconcile {
namespace {

/// What every jail has of its own in its hosts: no jail of that name takes their place.
constexpr std::array<std::string_view, 3> kOwnNames{"localhost", "ip6-localhost", "ip6-loopback"};

std::vector<std::string> names_of(const store::AddressOwner& owner) {
    std::vector<std::string> names;
    const auto same = [&](std::string_view name) {
        return std::ranges::equal(name, owner.name, [](char one, char other) {
            return one == (other >= 'A' && other <= 'Z' ? other - 'A' + 'a' : other);
        });
    };
    if (std::ranges::none_of(kOwnNames, same)) names.push_back(owner.name);
    names.push_back(fmt::format("{}.{}.jaild", owner.name, owner.network_name));
    return names;
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    return (hash ^ value) * 0x100000001b3U;  // the step of FNV-1a (draft-eastlake-fnv)
}

}  // namespace

AddressBook::AddressBook(std::vector<store::AddressOwner> owners) {
    for (auto& owner : owners) {
        networks_of_[owner.jail].insert(owner.network);
        if (owner.isolated) continue;
        auto& members = networks_[owner.network];
        const auto line =
            fmt::format("{} {} {} {}", owner.jail.value, owner.name, owner.network_name, owner.address.to_string());
        members.hash = mixed(members.hash, std::hash<std::string_view>{}(line));
        members.owners.push_back(std::move(owner));
    }
}

std::vector<kernel::HostEntry> AddressBook::neighbours(JailId jail) const {
    std::vector<kernel::HostEntry> found;
    const auto mine = networks_of_.find(jail);
    if (mine == networks_of_.end()) return found;
    for (const NetworkId network : mine->second) {
        const auto members = networks_.find(network);
        if (members == networks_.end()) continue;
        for (const auto& owner : members->second.owners)
            if (owner.jail != jail) found.push_back({.address = owner.address, .names = names_of(owner)});
    }
    return found;
}

std::uint64_t AddressBook::fingerprint(JailId jail) const {
    std::uint64_t hash = 0xcbf29ce484222325U;
    const auto mine = networks_of_.find(jail);
    if (mine == networks_of_.end()) return hash;
    for (const NetworkId network : mine->second) {
        const auto members = networks_.find(network);
        hash = mixed(hash, static_cast<std::uint64_t>(network.value));
        if (members != networks_.end()) hash = mixed(hash, members->second.hash);
    }
    return hash;
}

}  // namespace jaild::reconcile
