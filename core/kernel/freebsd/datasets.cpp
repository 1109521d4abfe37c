#include "core/kernel/freebsd/datasets.h"

#include <poll.h>

#include <algorithm>
#include <set>

#include "core/kernel/freebsd/jail_datasets.h"
#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/zfs_program.h"

namespace jaild::kernel::freebsd {
namespace {

/// How often destroy is tried: the last vnodes of an unmounted root are let go a moment later.
constexpr int kAttempts = 5;
constexpr int kPauseMilliseconds = 100;

/// Makes one by `argv`, unless it is among those that are there.
template <class T>
Result<void> make(const Result<std::vector<T>>& there, T id, const std::string& name, const Argv& argv) {
    if (!there) return std::unexpected(there.error());
    if (std::ranges::find(*there, id) != there->end()) return {};
    auto made = run_zfs(argv);
    if (made) return {};
    auto error = std::move(made).error();
    if (says(error, "already exists"))
        error = Error{.code = Errc::conflict,
                      .op = "zfs",
                      .detail = "dataset " + name + " exists, but is not jaild's",
                      .reason = "dataset_in_use",
                      .remedy = "look at it, then rename it or remove it: zfs get all " + name};
    return std::unexpected(std::move(error));
}

Error busy(Error error, const std::string& name) {
    error.code = Errc::busy;
    error.reason = "dataset_busy";
    error.remedy = "see what holds it: zfs list -t all -o name,origin -r " + name;
    return error;
}

/// As often as it takes for what was just let go of.
Result<void> destroy_one(const std::string& name) {
    for (int attempt = 1;; ++attempt) {
        const auto gone = run_zfs(zfs::destroy(name));
        if (gone) return {};
        if (attempt == kAttempts) return std::unexpected(busy(gone.error(), name));
        ::poll(nullptr, 0, kPauseMilliseconds);
    }
}

std::string base_of(const std::string& of_template) {
    return of_template + "@" + zfs::kBaseSnapshot;
}

/// Any dataset or snapshot.
Result<bool> is_there(const std::string& name) {
    const auto found = run_zfs({"zfs", "list", "-H", "-o", "name", name});
    if (found) return true;
    if (says(found.error(), "does not exist")) return false;
    return std::unexpected(found.error());
}

}  // namespace

std::string Datasets::name(JailId id) const {
    return zfs::dataset(parent_, instance_, id);
}

std::string Datasets::name(TemplateId id) const {
    return zfs::dataset(parent_, instance_, id);
}

Result<std::vector<JailId>> Datasets::jails() const {
    if (!configured()) return std::vector<JailId>{};
    const auto output = run_zfs(zfs::list(parent_));
    if (!output) return std::unexpected(output.error());
    return zfs::jails(*output, parent_, instance_);
}

Result<std::vector<TemplateId>> Datasets::templates() const {
    if (!configured()) return std::vector<TemplateId>{};
    const auto output = run_zfs(zfs::list(parent_));
    if (!output) return std::unexpected(output.error());
    return zfs::templates(*output, parent_, instance_);
}

Result<void> Datasets::ensure(JailId id) const {
    return make(jails(), id, name(id), zfs::create(name(id), zfs::owner(instance_, id)));
}

Result<void> Datasets::ensure(TemplateId id) const {
    return make(templates(), id, name(id), zfs::create(name(id), zfs::owner(instance_, id)));
}

Result<void> Datasets::clone(JailId id, const std::string& of_template) const {
    return make(jails(), id, name(id), zfs::clone(base_of(of_template), name(id), zfs::owner(instance_, id)));
}

Result<std::map<std::string, model::Storage>> Datasets::storage(const std::vector<std::string>& names) {
    std::set<std::string> parents;
    if (names.size() > 1)
        for (const auto& name : names) parents.insert(name.substr(0, name.rfind('/')));
    std::vector<Argv> questions;
    for (const auto& parent : parents) questions.push_back(zfs::get_storage(parent, zfs::Depth::children));
    if (names.size() == 1) questions.push_back(zfs::get_storage(names.front(), zfs::Depth::itself));
    std::map<std::string, model::Storage> all;
    for (const auto& question : questions) {
        const auto output = run_zfs(question);
        if (!output) return std::unexpected(output.error());
        auto some = zfs::storage_of(*output);
        if (!some) return some;
        all.merge(*some);
    }
    return all;
}

/// What zfs(8) says of a size that does not fit, as the user's own fault or the pool's.
Error storage_refused(Error error) {
    if (says(error, "less than current used")) {
        error.code = Errc::conflict;
        error.reason = "quota_below_use";
        error.field = "/root/quota";
        error.remedy = "give it more, or delete files of the jail first";
    } else if (says(error, "greater than available space")) {
        error.code = Errc::exhausted;
        error.reason = "reservation_too_large";
        error.field = "/root/reservation";
        error.remedy = "reserve less than the pool has free: zfs list -o space";
    }
    return error;
}

Result<void> Datasets::set_storage(const std::string& name, const model::Storage& storage) {
    const auto now = Datasets::storage({name});
    if (!now) return std::unexpected(now.error());
    const auto found = now->find(name);
    for (const auto& command : zfs::set_storage(name, found == now->end() ? model::Storage{} : found->second, storage))
        if (auto set = run_zfs(command); !set) return std::unexpected(storage_refused(set.error()));
    return {};
}

/// zfs-snapshot(8) waits until the transaction group is on disk: nothing has to be synced before.
Result<void> Datasets::finish(const std::string& of_template) {
    if (auto set = run_zfs(zfs::set(of_template, "readonly", "on")); !set) return std::unexpected(set.error());
    const auto made = run_zfs(zfs::snapshot(base_of(of_template)));
    return made ? Result<void>{} : std::unexpected(made.error());
}

Result<void> Datasets::destroy(JailId id) const {
    return configured() ? JailDatasets(instance_, parent_, id).destroy() : Result<void>{};
}

Result<void> Datasets::destroy(TemplateId id) const {
    const auto there = templates();
    if (!there) return std::unexpected(there.error());
    if (std::ranges::find(*there, id) == there->end()) return {};
    const auto finished = is_there(base_of(name(id)));
    if (!finished) return std::unexpected(finished.error());
    if (*finished)
        if (auto gone = destroy_one(base_of(name(id))); !gone) return gone;
    return destroy_one(name(id));
}

Result<void> check_zfs_parent(const std::string& parent) {
    if (auto named = zfs::check_name(parent); !named) return named;
    const auto there = run_zfs({"zfs", "list", "-H", "-o", "name", parent});
    if (there) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "zfs",
                                 .detail = "zfs_parent " + parent + ": " + there.error().detail,
                                 .reason = "zfs_unavailable",
                                 .remedy = "zfs create -o mountpoint=none " + parent});
}

}  // namespace jaild::kernel::freebsd
