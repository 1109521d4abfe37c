#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/model/name.h"

namespace jaild::model {

/// A bridge of ours with its subnets. The gateway is the first address of each subnet and lives on the bridge.
struct Network {
    NetworkId id;
    Name name;
    Prefix ipv4;  ///< network address and length
    Prefix ipv6;  ///< a ULA /64 (RFC 4193)
    bool nat = true;
    unsigned mtu = 1500;
    bool operator==(const Network&) const = default;

    [[nodiscard]] Prefix gateway4() const;  ///< with the subnet's length
    [[nodiscard]] Prefix gateway6() const;
};

nlohmann::json to_json(const Network& network);

/// A base tree that roots are made from. Only `host` exists so far: built in, live, not versioned.
struct Template {
    Name name;
    bool builtin = true;
    std::string description;
};

nlohmann::json to_json(const Template& value);

}  // namespace jaild::model
