#include "core/kernel/freebsd/pure/snapshot_texts.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/pure/zfs_rows.h"

namespace jaild::kernel::freebsd::zfs {
namespace {

std::string mark_of(const InstanceId& instance, const SnapshotKey& key) {
    return instance.text() + ":" + std::to_string(key.jail.value) + ":" + std::to_string(key.id.value);
}

/// Nothing for a mark of another instance, or for none.
std::optional<SnapshotKey> key_in(std::string_view mark, const InstanceId& instance) {
    const auto prefix = instance.text() + ":";
    if (!mark.starts_with(prefix)) return std::nullopt;
    const auto rest = mark.substr(prefix.size());
    const auto* end = rest.data() + rest.size();
    SnapshotKey key;
    const auto jail = std::from_chars(rest.data(), end, key.jail.value);
    if (jail.ec != std::errc{} || jail.ptr == end || *jail.ptr != ':') return std::nullopt;
    const auto id = std::from_chars(jail.ptr + 1, end, key.id.value);
    return id.ec == std::errc{} && mark_of(instance, key) == mark ? std::optional(key) : std::nullopt;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> all;
    while (!text.empty()) {
        const auto end = text.find(',');
        if (const auto word = text.substr(0, end); word != "-") all.emplace_back(word);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return all;
}

}  // namespace

std::string aside(const std::string& dataset, SnapshotId became) {
    return dataset + "." + std::to_string(became.value);
}

std::string snapshot_of(const std::string& dataset, SnapshotId id) {
    return dataset + "@jaild-" + std::to_string(id.value);
}

Argv take(const std::string& dataset, const InstanceId& instance, const SnapshotKey& key) {
    return {"zfs", "snapshot", "-o", std::string(kSnapshotProperty) + "=" + mark_of(instance, key),
            snapshot_of(dataset, key.id)};
}

Argv destroy_later(const std::string& snapshot) {
    return {"zfs", "destroy", "-d", snapshot};
}

Argv rename(const std::string& dataset, const std::string& to) {
    return {"zfs", "rename", dataset, to};
}

Argv promote(const std::string& dataset) {
    return {"zfs", "promote", dataset};
}

Argv list_snapshots(const std::string& parent) {
    return {"zfs",
            "get",
            "-Hp",
            "-d",
            "2",
            "-t",
            "snapshot",
            "-o",
            "name,property,value,source",
            std::string(kSnapshotProperty) + ",defer_destroy,clones",
            parent};
}

Result<std::vector<Snapshot>> snapshots_in(std::string_view output, const InstanceId& instance) {
    const auto rows = rows_of(output);
    if (!rows) return std::unexpected(rows.error());
    std::vector<Snapshot> all;
    for (const auto& [name, property, value, source] : *rows) {
        if (all.empty() || all.back().name != name) all.push_back({.name = std::string(name)});
        auto& snapshot = all.back();
        if (property == kSnapshotProperty && source == "local") snapshot.key = key_in(value, instance);
        if (property == "defer_destroy") snapshot.leaving = value == "on";
        if (property == "clones") snapshot.clones = words_of(value);
    }
    return all;
}

Argv list_origins(const std::string& parent) {
    return {"zfs",
            "get",
            "-Hp",
            "-d",
            "1",
            "-t",
            "filesystem",
            "-o",
            "name,property,value,source",
            std::string(kOwnerProperty) + ",jailed,origin",
            parent};
}

Result<std::vector<Member>> family_in(std::string_view output, const std::string& parent, const InstanceId& instance,
                                      JailId id) {
    const auto rows = rows_of(output);
    if (!rows) return std::unexpected(rows.error());
    const auto root = dataset(parent, instance, id);
    const auto mark = owner(instance, id);
    struct Seen {
        bool marked = false;
        bool jailed = true;
        std::string origin{};
    };
    std::map<std::string, Seen> seen;
    for (const auto& [name, property, value, source] : *rows) {
        if (name != root && !name.starts_with(root + ".")) continue;
        auto& one = seen[std::string(name)];
        if (property == kOwnerProperty) one.marked = value == mark && source == "local";
        if (property == "jailed") one.jailed = value != "off";
        if (property == "origin" && value != "-") one.origin = value;
    }
    std::vector<Member> family;
    for (const auto& [name, one] : seen)
        if (one.marked && !one.jailed) family.push_back({.name = name, .origin = one.origin});
    return family;
}

}  // namespace jaild::kernel::freebsd::zfs
