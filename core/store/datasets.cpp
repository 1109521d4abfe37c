#include "core/store/datasets.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/datasets.h"
#include "core/store/statement.h"

namespace jaild::store::datasets {
namespace {

/// What another jail has of a pool.
struct Holding {
    std::string jail;
    std::string dataset;
    bool given = false;  ///< to the jail; else the host mounts it there
};

bool mounts_any(const model::JailSpec& spec) {
    return std::ranges::any_of(spec.mounts,
                               [](const model::MountSpec& one) { return one.type == model::MountType::zfs; });
}

Result<std::vector<Holding>> of_others(Connection& connection, JailId self) {
    return all_rows<Holding>(
        connection.prepare("SELECT name, dataset.value, 1 FROM jails, json_each(jails.spec, '$.datasets') AS dataset"
                           " WHERE jails.id <> ?1"
                           " UNION ALL SELECT name, mount.value ->> '$.source', 0"
                           " FROM jails, json_each(jails.spec, '$.mounts') AS mount"
                           " WHERE jails.id <> ?1 AND mount.value ->> '$.type' = 'zfs'",
                           self.value),
        [](const Statement& row) -> Result<Holding> {
            return Holding{.jail = row.text(0), .dataset = row.text(1), .given = row.integer(2) != 0};
        });
}

Error in_use(const std::string& dataset, const Holding& by, std::string field) {
    return {.code = Errc::conflict,
            .op = "check_datasets",
            .detail = by.given ? fmt::format("{} cannot be had beside {}, which jail \"{}\" is given", dataset,
                                             by.dataset, by.jail)
                               : fmt::format("{} cannot be had beside {}, which is mounted in jail \"{}\"", dataset,
                                             by.dataset, by.jail),
            .reason = "dataset_in_use",
            .field = std::move(field),
            .remedy = "give each jail a dataset of its own: zfs create"};
}

}  // namespace

Result<void> check_free(Connection& connection, const model::JailSpec& spec, JailId self) {
    if (spec.datasets.empty() && !mounts_any(spec)) return {};
    const auto others = of_others(connection, self);
    if (!others) return std::unexpected(others.error());
    for (const auto& other : *others) {
        for (std::size_t index = 0; index < spec.datasets.size(); ++index)
            if (model::overlap(spec.datasets[index], other.dataset))
                return std::unexpected(in_use(spec.datasets[index], other, fmt::format("/datasets/{}", index)));
        if (!other.given) continue;
        for (std::size_t index = 0; index < spec.mounts.size(); ++index) {
            const auto& mount = spec.mounts[index];
            if (mount.type == model::MountType::zfs && model::overlap(mount.source, other.dataset))
                return std::unexpected(in_use(mount.source, other, fmt::format("/mounts/{}/source", index)));
        }
    }
    return {};
}

}  // namespace jaild::store::datasets
