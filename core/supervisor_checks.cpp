#include <fmt/format.h>

#include <filesystem>

#include "core/supervisor_impl.h"

/// What only this host can say of a spec.
namespace jaild {
namespace {

bool parameters_changed(const model::JailSpec& from, const model::JailSpec& to) {
    return from.parameters != to.parameters || from.devfs_ruleset != to.devfs_ruleset;
}

}  // namespace

bool asks_kernel(const model::JailSpec& from, const model::JailSpec& to) {
    return parameters_changed(from, to) || from.limits != to.limits;
}

Result<void> Supervisor::Impl::check_host(const model::JailSpec& spec, const std::string& name) {
    if (auto possible = kernel.roots().check(spec.root, spec.template_name); !possible) return possible;
    if (auto possible = check_kernel({}, spec); !possible) return possible;
    if (spec.root.kind != model::RootKind::path) return {};
    // The store compares texts; two spellings of one directory are found here.
    std::error_code ignored;
    const auto mine = std::filesystem::canonical(spec.root.path, ignored);
    for (const auto& other : cache.all()) {
        if (other.spec.root.kind != model::RootKind::path || other.name.text() == name) continue;
        if (std::filesystem::canonical(other.spec.root.path, ignored) != mine) continue;
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "validate",
                  .detail = fmt::format("jail \"{}\" already has {} as its root", other.name.text(), mine.string()),
                  .reason = "path_in_use",
                  .field = "/root/path",
                  .remedy = "give each jail a directory of its own"});
    }
    return {};
}

Result<void> Supervisor::Impl::check_kernel(const model::JailSpec& from, const model::JailSpec& to) {
    if (parameters_changed(from, to))
        if (auto known = kernel.jails().check(to); !known) return known;
    if (from.limits == to.limits || to.limits.empty()) return {};
    auto enforced = kernel.limits().supported();
    if (!enforced) enforced.error().field = "/limits";
    return enforced;
}

Supervisor::Impl::Verdict Supervisor::Impl::judge(const model::Name& name, const MakeSpec& make_spec) {
    // The cache may lag behind a commit. What is wrong here is said in the transaction, in its turn.
    auto jail = store::read<model::Jail>(store, [&](store::Reader& reader) { return reader.jail(name); });
    if (!jail) return {};
    auto spec = make_spec(jail->spec);
    if (!spec) return {};
    auto said = check_kernel(jail->spec, *spec);
    return {.from = std::move(jail->spec), .to = *std::move(spec), .said = std::move(said)};
}

}  // namespace jaild
