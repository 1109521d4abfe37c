#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/jail_spec.h"

/// ZFS datasets of the host that a jail is given, to manage them itself: zfs-jail(8). Pure.
namespace jaild::model {

/// zfs(8), "ZFS Component Naming Requirements", without the spaces that it allows: a file system, no snapshot and no
/// bookmark, of at most SpecLimits::dataset_bytes.
bool is_dataset_name(std::string_view name);

/// `dataset` is `above`, or beneath it.
bool is_within(std::string_view dataset, std::string_view above);
/// One is within the other.
bool overlap(std::string_view one, std::string_view other);

/// At most SpecLimits::datasets, none within another. Errc::invalid "invalid_value".
Result<std::vector<std::string>> parse_datasets(const nlohmann::json& value, const std::string& at);

/// What a jail needs to mount its datasets, and where it is shown them, must not be taken away again by the same spec;
/// and what it is given is not also mounted by the host. Errc::invalid "contradiction" with field and remedy. Not a
/// part of parse_spec(): what a running jail is held to may be such a spec, until it is made again.
Result<void> check_datasets(const JailSpec& spec);

/// The parameters of a jail with datasets: those that it needs to mount them, unless the spec says them itself.
Parameters parameters_with_datasets(const JailSpec& spec);
/// The devices that its /dev shows: zfs(4) too.
std::vector<std::string> devices_with_datasets(const JailSpec& spec);

}  // namespace jaild::model
