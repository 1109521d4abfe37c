#include "core/kernel/roots/mount_sources.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/files.h"
#include "core/kernel/roots/path_root.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSourceField = "/source";
constexpr int kDirectory = O_RDONLY | O_DIRECTORY;

bool is_at_or_beneath(const fs::path& path, const fs::path& directory) {
    return std::ranges::mismatch(directory, path).in1 == directory.end();
}

Error missing(const std::string& source) {
    auto error = Error::invalid("mount_source_missing", kSourceField, source + " is no directory of this host");
    error.remedy = "make it, or set \"create\"";
    return error;
}

/// Why it could not be opened, for the user who named it.
Error explained(Error error, const std::string& source) {
    if (error.code == Errc::not_found || error.sys == ENOTDIR) return missing(source);
    if (error.reason != "symbolic_link" && error.sys != ELOOP) return error;
    std::error_code failed;
    const auto canonical = fs::canonical(source, failed);
    return Error::invalid(
        "mount_source_refused", kSourceField,
        failed ? source + " leads through a symbolic link"
               : fmt::format("{} leads through a symbolic link: name {} instead", source, canonical.string()));
}

Result<UniqueFd> open_source(const std::string& source) {
    const auto top = files::open_directory("/");
    if (!top) return std::unexpected(top.error());
    auto held = files::open_beneath(top->get(), fs::path(source).relative_path(), kDirectory);
    if (!held) return std::unexpected(explained(std::move(held.error()), source));
    return held;
}

Result<UniqueFd> make_source(const std::string& source) {
    const auto top = files::open_directory("/");
    if (!top) return std::unexpected(top.error());
    auto made = files::make_directories(top->get(), fs::path(source).relative_path(), 0755);
    if (!made) return std::unexpected(explained(std::move(made.error()), source));
    return made;
}

}  // namespace

bool MountSources::lists(const std::string& source) const {
    return std::ranges::any_of(listed_, [&](const fs::path& one) { return is_at_or_beneath(source, one); });
}

Result<void> MountSources::check(const Mount& mount) const {
    if (!listed_.empty() && !lists(mount.source)) {
        std::vector<std::string> listed;
        for (const auto& one : listed_) listed.push_back(one.string());
        return std::unexpected(Error{.code = Errc::denied,
                                     .op = "mount",
                                     .detail = fmt::format("{} is not beneath what may be mounted in jails: {}",
                                                           mount.source, fmt::join(listed, ", ")),
                                     .reason = "mount_source_not_allowed",
                                     .field = kSourceField,
                                     .remedy = "add it to mount_sources in jaild.toml"});
    }
    if (auto apart = check_apart(mount.source, state_); !apart) {
        apart.error().reason = "mount_source_refused";
        apart.error().field = kSourceField;
        return apart;
    }
    const auto held = open_source(mount.source);
    if (held || (mount.create && held.error().reason == "mount_source_missing")) return {};
    return std::unexpected(held.error());
}

Result<UniqueFd> MountSources::open(const Mount& mount) const {
    if (auto allowed = check(mount); !allowed) return std::unexpected(allowed.error());
    auto held = mount.create ? make_source(mount.source) : open_source(mount.source);
    if (!held) return held;
    if (auto checked = check_open_root(held->get(), state_); !checked) return std::unexpected(checked.error());
    return held;
}

}  // namespace jaild::kernel
