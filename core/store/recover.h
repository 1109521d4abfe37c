#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/store/backup.h"

/// A lost database made again from its records (record_keeper.h). Blocking.
namespace jaild::store {

struct RecoverOptions {
    std::filesystem::path database;  ///< "<state>/jaild.db"
    std::filesystem::path records;   ///< "<state>/records"
    std::string host_identity;       ///< as StoreOptions
    bool claim = false;              ///< as StoreOptions
    Existing existing = Existing::refuse;
    UsedIds used{};  ///< what lies in the state directory
};

struct Recovered {
    std::filesystem::path kept{};  ///< as Restored
    std::set<JailId> jails{};
    std::set<TemplateId> templates{};
    std::size_t networks = 0;
    std::size_t snapshots = 0;
    std::size_t pools = 0;
    std::vector<std::string> lost{};  ///< for people, a line for each thing that could not be recovered, and why
};

/// Of a daemon that does not run. A record that is damaged, or needs one that is, is left out and told of; history is
/// lost. Errc::not_found "no_records"; Errc::unsupported "database_newer"; else as restore(). Nothing is changed with
/// an Error.
Result<Recovered> recover(const RecoverOptions& options);

}  // namespace jaild::store
