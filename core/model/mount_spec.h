#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/units.h"

/// What a user asks to be mounted in a jail, beyond what its root is made of.
namespace jaild::model {

/// By the names of mount(8). nullfs is a bind mount on Linux.
enum class MountType { nullfs, tmpfs, devfs, fdescfs, procfs, linprocfs, linsysfs, zfs };
std::string_view to_string(MountType type);

struct MountSpec {
    MountType type = MountType::nullfs;
    std::string source;  ///< nullfs: a directory of the host; zfs: a dataset; else empty
    std::string target;  ///< in the jail: absolute, normalized, not "/"
    bool read_only = false;
    bool no_exec = false;
    bool no_suid = false;
    bool create = false;  ///< nullfs: the source is made when it is missing
    Bytes size{};         ///< tmpfs: at most; 0: as the system has it
    bool operator==(const MountSpec&) const = default;
    /// It shows a part of the host that is not the jail's: an admin's to choose.
    [[nodiscard]] bool shows_host() const { return type == MountType::nullfs || type == MountType::zfs; }
};

/// Two of one target are refused. Reasons beyond those of parse_spec: "field_not_applicable".
Result<std::vector<MountSpec>> parse_mounts(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const std::vector<MountSpec>& mounts);

/// What a running jail that was made with `made` is held to: mounts come and go at once, one that is to be another at
/// the same target waits for a restart.
std::vector<MountSpec> running_mounts(const std::vector<MountSpec>& made, const std::vector<MountSpec>& wanted);

}  // namespace jaild::model
