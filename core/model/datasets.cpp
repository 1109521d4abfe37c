#include "core/model/datasets.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/devices.h"
#include "core/model/fields.h"

namespace jaild::model {
namespace {

/// zfs-jail(8): "the jail needs the allow.mount and allow.mount.zfs parameters set to 1 and the enforce_statfs
/// parameter set to a value lower than 2".
constexpr std::array kNeeded{"allow.mount", "allow.mount.zfs"};
constexpr const char* kStatfs = "enforce_statfs";
constexpr std::int64_t kStatfsNeeded = 1;
constexpr const char* kDevice = "zfs";

bool is_component(std::string_view text) {
    const auto fits = [](char c) { return is_alphanumeric(c) || std::string_view("_-:.").contains(c); };
    return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, fits);
}

Error contradiction(std::string field, std::string detail, std::string remedy) {
    auto error = Error::invalid("contradiction", std::move(field), std::move(detail));
    error.remedy = std::move(remedy);
    return error;
}

Result<void> check_parameters(const Parameters& parameters) {
    const auto refused = [](const std::string& name) {
        return std::unexpected(
            contradiction(pointer("/parameters", name), "a jail with datasets mounts them itself, which this forbids",
                          "leave it out, or the datasets: what the jail needs for them it is given"));
    };
    for (const std::string name : kNeeded) {
        if (const auto found = parameters.find(name); found != parameters.end() && !same_value(found->second, true))
            return refused(name);
        const auto no = parameters.find(with_no(name));
        if (no != parameters.end() && !same_value(no->second, false)) return refused(no->first);
    }
    const auto statfs = parameters.find(kStatfs);
    if (statfs == parameters.end()) return {};
    const auto* number = std::get_if<std::int64_t>(&statfs->second);
    return number != nullptr && *number > kStatfsNeeded ? refused(kStatfs) : Result<void>{};
}

}  // namespace

bool is_dataset_name(std::string_view name) {
    if (name.empty() || name.size() > SpecLimits::dataset_bytes || !is_letter(name.front()) || name.ends_with('/'))
        return false;
    while (!name.empty()) {
        const auto slash = name.find('/');
        if (!is_component(name.substr(0, slash))) return false;
        name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    }
    return true;
}

bool is_within(std::string_view dataset, std::string_view above) {
    return dataset.starts_with(above) && (dataset.size() == above.size() || dataset[above.size()] == '/');
}

bool overlap(std::string_view one, std::string_view other) {
    return is_within(one, other) || is_within(other, one);
}

Result<std::vector<std::string>> parse_datasets(const nlohmann::json& value, const std::string& at) {
    if (!value.is_array()) return std::unexpected(wrong_type(at, "an array"));
    if (value.size() > SpecLimits::datasets) return std::unexpected(too_many(at, SpecLimits::datasets));
    std::vector<std::string> datasets;
    for (std::size_t index = 0; index < value.size(); ++index) {
        const auto where = pointer(at, index);
        auto name = read_text(value[index], where, SpecLimits::dataset_bytes);
        if (!name) return std::unexpected(name.error());
        if (!is_dataset_name(*name))
            return std::unexpected(Error::invalid("invalid_value", where,
                                                  "a dataset is named as zfs list names a file system: tank/web/data"));
        for (const auto& other : datasets)
            if (overlap(*name, other))
                return std::unexpected(Error::invalid(
                    "invalid_value", where, *name + " and " + other + " lie within each other: name the upper one"));
        datasets.push_back(*std::move(name));
    }
    return datasets;
}

Result<void> check_datasets(const JailSpec& spec) {
    if (spec.datasets.empty()) return {};
    if (auto good = check_parameters(spec.parameters); !good) return good;
    for (std::size_t index = 0; index < spec.mounts.size(); ++index) {
        const auto& mount = spec.mounts[index];
        if (mount.type != MountType::zfs) continue;
        const auto within = [&](const std::string& dataset) { return overlap(dataset, mount.source); };
        if (std::ranges::any_of(spec.datasets, within))
            return std::unexpected(contradiction(pointer(pointer("/mounts", index), "source"),
                                                 "the jail is given " + mount.source + ", and the host is to mount it",
                                                 "leave the mount out: the jail mounts its datasets itself"));
    }
    return {};
}

Parameters parameters_with_datasets(const JailSpec& spec) {
    auto all = spec.parameters;
    if (spec.datasets.empty()) return all;
    for (const std::string name : kNeeded)
        if (!all.contains(with_no(name))) all.emplace(name, true);
    all.emplace(kStatfs, kStatfsNeeded);
    return all;
}

std::vector<std::string> devices_with_datasets(const JailSpec& spec) {
    auto all = spec.devices;
    if (!spec.datasets.empty() && !names_device(all, kDevice)) all.emplace_back(kDevice);
    return all;
}

}  // namespace jaild::model
