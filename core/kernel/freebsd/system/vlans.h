#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// What a vlan(4) is of.
struct VlanTag {
    std::string parent;  ///< empty: of nothing
    unsigned id = 0;
    bool operator==(const VlanTag&) const = default;
};
Result<VlanTag> vlan_tag(const std::string& name);
/// Errc::conflict when the parent has that VLAN already.
Result<void> set_vlan_tag(const std::string& name, const VlanTag& tag);

}  // namespace jaild::kernel::freebsd
