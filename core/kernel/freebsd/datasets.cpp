#include "core/kernel/freebsd/datasets.h"

#include <poll.h>

#include <algorithm>

#include "core/base/spawn.h"
#include "core/kernel/freebsd/pure/dataset_texts.h"

namespace jaild::kernel::freebsd {
namespace {

constexpr Milliseconds kTimeout{60'000};
/// How often destroy is tried: the last vnodes of an unmounted root are let go a moment later.
constexpr int kAttempts = 5;
constexpr int kPauseMilliseconds = 100;

/// Its standard output.
Result<std::string> run_zfs(const Argv& argv) {
    auto done = run(argv, {.timeout = kTimeout, .output_limit = 16 << 20});
    if (!done) return std::unexpected(done.error());
    if (done->exit_code == 0) return std::move(done->output);
    std::string said = done->error_output;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    std::ranges::replace(said, '\n', ' ');
    return std::unexpected(
        Error{.code = Errc::kernel, .op = "zfs", .detail = argv[1] + ": " + said, .reason = "zfs_failed"});
}

}  // namespace

std::string Datasets::name(JailId id) const {
    return zfs::dataset(parent_, instance_, id);
}

Result<std::vector<JailId>> Datasets::list() const {
    if (!configured()) return std::vector<JailId>{};
    const auto output = run_zfs(zfs::list(parent_));
    if (!output) return std::unexpected(output.error());
    return zfs::listed(*output, parent_, instance_);
}

Result<bool> Datasets::exists(JailId id) const {
    const auto all = list();
    if (!all) return std::unexpected(all.error());
    return std::ranges::find(*all, id) != all->end();
}

Result<void> Datasets::ensure(JailId id) const {
    const auto there = exists(id);
    if (!there) return std::unexpected(there.error());
    if (*there) return {};
    auto made = run_zfs(zfs::create(name(id), zfs::owner(instance_, id)));
    if (made) return {};
    auto error = std::move(made).error();
    if (error.detail.find("already exists") != std::string::npos)
        error = Error{.code = Errc::conflict,
                      .op = "zfs",
                      .detail = "dataset " + name(id) + " exists, but is not jaild's",
                      .reason = "dataset_in_use",
                      .remedy = "look at it, then rename it or remove it: zfs get all " + name(id)};
    return std::unexpected(std::move(error));
}

Result<void> Datasets::destroy(JailId id) const {
    for (int attempt = 1;; ++attempt) {
        const auto there = exists(id);
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        auto gone = run_zfs(zfs::destroy(name(id)));
        if (gone) return {};
        if (attempt < kAttempts) {
            ::poll(nullptr, 0, kPauseMilliseconds);
            continue;
        }
        auto error = std::move(gone).error();
        error.code = Errc::busy;
        error.reason = "dataset_busy";
        error.remedy = "see what holds it: zfs list -t all -r " + name(id);
        return std::unexpected(std::move(error));
    }
}

Result<void> Datasets::destroy(JailId id, const std::string& name) const {
    const Datasets there(instance_, name.substr(0, name.rfind('/')));
    return there.destroy(id);
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
