#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/model/jail_spec.h"
#include "core/model/snapshot.h"
#include "core/model/status.h"

namespace jaild::model {

/// One of a jail's interfaces as it was given out: the place in the list is the interface's index.
struct AssignedInterface {
    NetworkId network;
    std::vector<Prefix> addresses;  ///< static ones included, IPv4 first, each with its subnet's length
    bool operator==(const AssignedInterface&) const = default;
};

/// Of all of them, in their order.
std::vector<Prefix> addresses_of(const std::vector<AssignedInterface>& interfaces);

/// The template that a jail's root is made from.
struct JailBase {
    TemplateId id;
    std::vector<std::string> private_parts;  ///< Template::private_parts
    bool operator==(const JailBase&) const = default;
};

/// The pool that a jail waits in for somebody to take it.
struct PoolMark {
    PoolId id;
    Generation generation = 0;  ///< Pool::jail_generation that it was made of
    std::string name;
    bool operator==(const PoolMark&) const = default;
};

/// One jail with everything that GET shows.
struct Jail {
    JailId id;
    Name name;
    JailSpec spec;
    Generation generation = 1;
    Incarnation incarnation = 1;
    UtcTime created_at;
    Milliseconds since{0};  ///< its ttl counts from here: Clock::monotonic() of this boot of the host
    bool removing = false;  ///< DELETE was accepted; the name stays reserved until nothing is left
    std::vector<AssignedInterface> interfaces;  ///< one for each of the spec's, kept across restarts
    JailStatus status;
    std::optional<JailBase> base{};  ///< nothing: the host's own, or a `path` root
    std::optional<RootChange> root_change{};
    std::optional<PoolMark> pool{};

    /// Of all interfaces, in their order; with NetworkMode::alias those of the spec.
    [[nodiscard]] std::vector<Prefix> addresses() const;
    /// Its root is on its way out of an archive.
    [[nodiscard]] bool unpacking() const { return !removing && root_change && root_change->stage == RootStage::unpack; }
};

/// {"name", "spec", "status", "generation", "created_at", "labels"}; secrets hidden.
nlohmann::json to_json(const Jail& jail);

/// The strong entity tag (RFC 9110 §8.8.3), quotes included: "\"7.3\"", database id and generation.
std::string etag(const Jail& jail);

}  // namespace jaild::model
