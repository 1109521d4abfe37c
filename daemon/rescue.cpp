#include "daemon/rescue.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/kernel/roots/numbered.h"
#include "core/store/recover.h"

namespace jaild::daemon {
namespace {

namespace fs = std::filesystem;

template <class Id>
std::vector<Id> found_in(const fs::path& directory) {
    return kernel::numbered<Id>(directory, {".removing", ".making", ".leaving"}).value_or(std::vector<Id>{});
}

template <class Id>
std::int64_t highest_in(const fs::path& directory) {
    std::int64_t highest = 0;
    for (const auto id : found_in<Id>(directory)) highest = std::max(highest, id.value);
    return highest;
}

Result<void> restore(const Rescue& wanted, store::RestoreOptions options) {
    UniqueFd file;
    if (wanted.backup != "-") {
        file.reset(::open(wanted.backup.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) return std::unexpected(Error::from_errno("open", errno, wanted.backup));
    }
    options.source = file ? file.get() : STDIN_FILENO;
    auto restored = store::restore(options);
    if (!restored) {
        if (restored.error().name() == "state_of_other_host") {
            restored.error().detail = "this backup is of another machine, or of another state directory";
            restored.error().remedy =
                "if no jaild uses the one that it is of: --restore with --claim; jails get a new instance id then, and "
                "what runs there under the old one is not taken over";
        }
        return std::unexpected(restored.error());
    }
    spdlog::info("restored: {} jails, {} networks; what runs is taken over when jaild is started", restored->jails,
                 restored->networks);
    if (!restored->kept.empty())
        spdlog::info("the database that was there is {} now; it holds secrets", restored->kept.string());
    return {};
}

/// What lies there and nobody knows.
template <class Id>
void tell_of_unknown(const fs::path& state, const char* folder, const std::set<Id>& known) {
    for (const auto id : found_in<Id>(state / folder))
        if (!known.contains(id))
            spdlog::warn("not recovered: {}/{}: it is left as it is; jaildctl doctor --residue --dry-run lists it",
                         folder, id.value);
}

Result<void> recover(const fs::path& state, const store::RecoverOptions& options) {
    const auto recovered = store::recover(options);
    if (!recovered) return std::unexpected(recovered.error());
    for (const auto& line : recovered->lost) spdlog::warn("not recovered: {}", line);
    tell_of_unknown(state, "jails", recovered->jails);
    tell_of_unknown(state, "templates", recovered->templates);
    spdlog::info(
        "recovered: {} jails, {} networks, {} templates, {} snapshots, {} pools; operations, events and the audit are "
        "lost. What runs is taken over when jaild is started",
        recovered->jails.size(), recovered->networks, recovered->templates.size(), recovered->snapshots,
        recovered->pools);
    if (!recovered->kept.empty())
        spdlog::info("the database that was there is {} now; it holds secrets", recovered->kept.string());
    return {};
}

Result<void> check_nothing_lies_in(const fs::path& state) {
    const auto jails = found_in<JailId>(state / "jails").size();
    const auto templates = found_in<TemplateId>(state / "templates").size();
    if (jails == 0 && templates == 0) return {};
    return std::unexpected(Error{
        .code = Errc::conflict,
        .op = "open_database",
        .detail = fmt::format("{} has {} jails and {} templates, and no database that knows of any", state.string(),
                              jails, templates),
        .reason = "database_missing",
        .remedy = "jaild --recover, or --restore BACKUP; to begin anew: another --state-dir, or move this one away"});
}

}  // namespace

store::UsedIds ids_in(const fs::path& state) {
    std::int64_t snapshots = 0;
    for (const auto id : found_in<JailId>(state / "jails"))
        snapshots =
            std::max(snapshots, highest_in<SnapshotId>(state / "jails" / std::to_string(id.value) / "snapshots"));
    return {{"jails", highest_in<JailId>(state / "jails")},
            {"templates", highest_in<TemplateId>(state / "templates")},
            {"snapshots", snapshots}};
}

Result<void> check_not_lost(const fs::path& state) {
    std::error_code missing;
    const auto size = fs::file_size(state / "jaild.db", missing);
    return !missing && size > 0 ? Result<void>{} : check_nothing_lies_in(state);
}

Result<void> check_not_lost(const fs::path& state, store::Store& store) {
    auto networks =
        store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
    if (!networks) return std::unexpected(networks.error());
    // Any daemon that has served has one.
    return networks->empty() ? check_nothing_lies_in(state) : Result<void>{};
}

Result<void> rescue(const Rescue& wanted, const fs::path& state, const std::string& identity, bool claim) {
    const auto database = state / "jaild.db";
    const auto existing = wanted.force ? store::Existing::keep_beside : store::Existing::refuse;
    if (wanted.recover)
        return recover(state, {.database = database,
                               .records = state / "records",
                               .host_identity = identity,
                               .claim = claim,
                               .existing = existing,
                               .used = ids_in(state)});
    return restore(
        wanted,
        {.database = database, .host_identity = identity, .claim = claim, .existing = existing, .used = ids_in(state)});
}

}  // namespace jaild::daemon
