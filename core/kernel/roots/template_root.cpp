#include "core/kernel/roots/template_root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/copy_tree.h"
#include "core/base/files.h"
#include "core/kernel/roots/etc_source.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel::template_root {
namespace {

namespace fs = std::filesystem;

constexpr auto kShareable =
    std::to_array<std::string_view>({"bin", "boot", "lib", "lib32", "lib64", "libexec", "libx32", "rescue", "sbin"});
constexpr auto kPrivateInUsr = std::to_array<std::string_view>({"usr/home", "usr/local", "usr/obj", "usr/ports"});
/// A directory that comes to more mounts than this is copied instead.
constexpr std::size_t kMaxPieces = 32;

enum class Sharing { whole, pieces, none };

bool lies_in(std::string_view part, std::string_view directory) {
    return part.size() > directory.size() && part.starts_with(directory) && part[directory.size()] == '/';
}

/// What a thin root has of a directory of the template.
Sharing sharing_of(const std::string& path, const std::vector<std::string>& private_parts) {
    const auto is = [&](std::string_view other) { return path == other; };
    if (path.find('/') == std::string::npos && path != "usr" && std::ranges::none_of(kShareable, is))
        return Sharing::none;
    if (std::ranges::any_of(kPrivateInUsr, is) || std::ranges::any_of(private_parts, is)) return Sharing::none;
    const bool divided = std::ranges::any_of(private_parts, [&](const auto& part) { return lies_in(part, path); });
    return divided || path == "usr" ? Sharing::pieces : Sharing::whole;
}

bool is_directory(int parent, const std::string& name) {
    struct stat seen {};
    return ::fstatat(parent, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(seen.st_mode);
}

/// Of the directory `path` of the tree, which is open; of the tree itself when it is empty.
Result<std::vector<std::string>> pieces(int directory, const std::string& path,
                                        const std::vector<std::string>& private_parts) {
    auto names = names_in(directory);
    if (!names) return names;
    std::ranges::sort(*names);
    std::vector<std::string> all;
    for (const auto& name : *names) {
        if (!is_directory(directory, name)) continue;
        const auto place = path.empty() ? name : path + "/" + name;
        const auto sharing = sharing_of(place, private_parts);
        if (sharing == Sharing::whole) all.push_back(place);
        if (sharing != Sharing::pieces) continue;
        const auto inner = files::open_beneath(directory, name, O_RDONLY | O_DIRECTORY);
        if (!inner) return std::unexpected(inner.error());
        const auto found = pieces(inner->get(), place, private_parts);
        if (!found) return found;
        if (found->size() <= kMaxPieces) all.insert(all.end(), found->begin(), found->end());
    }
    return all;
}

Result<UniqueFd> open_tree(const fs::path& state, const RootParameters& parameters) {
    const auto missing = [&](std::string detail) {
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "template_root",
                                     .detail = std::move(detail),
                                     .reason = "template_missing",
                                     .field = "/template",
                                     .remedy = "import the template anew, and make the jail anew from it"});
    };
    if (!parameters.base) return missing("there is no template " + parameters.template_name);
    auto tree = files::open_directory(tree_of(state, parameters.base->id));
    if (!tree && tree.error().code == Errc::not_found)
        return missing("the tree of template " + parameters.template_name + " is not there: " + tree.error().detail);
    return tree;
}

/// What is mounted; nothing in a root that has all for itself, which needs its template no more.
Result<std::vector<std::string>> shared_of(const fs::path& state, const RootParameters& parameters) {
    if (parameters.root.kind != model::RootKind::thin) return std::vector<std::string>{};
    const auto tree = open_tree(state, parameters);
    if (!tree) return std::unexpected(tree.error());
    return shared(tree->get(), parameters.base->private_parts);
}

}  // namespace

fs::path tree_of(const fs::path& state, TemplateId id) {
    return state / "templates" / std::to_string(id.value) / "root";
}

Result<void> check(const model::RootSpec& root, const std::string& template_name, Clones clones) {
    if (template_name == "host") {
        if (root.kind == model::RootKind::thin) return {};
        return std::unexpected(
            Error{.code = Errc::invalid,
                  .op = "validate",
                  .detail = "template host is the running host itself: nothing of it is copied or cloned",
                  .reason = "host_is_thin_only",
                  .field = "/root/kind",
                  .remedy = "use \"thin\", or a template that was imported"});
    }
    if (!template_name.contains(':'))
        return std::unexpected(
            Error::invalid("template_unknown", "/template", "there is no template " + template_name));
    if (root.kind != model::RootKind::clone || clones == Clones::possible) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "validate",
                                 .detail = "a clone needs ZFS, and jaild has no dataset to make one in",
                                 .reason = "unsupported_root_kind",
                                 .field = "/root/kind",
                                 .remedy = "use \"copy\" or \"thin\", or configure zfs_parent"});
}

Result<std::vector<std::string>> shared(int tree, const std::vector<std::string>& private_parts) {
    std::vector<std::string> relative;
    for (const auto& part : private_parts)
        relative.push_back(part.substr(std::min(part.find_first_not_of('/'), part.size())));
    return pieces(tree, {}, relative);
}

Result<void> make(int root, const fs::path& state, const RootParameters& parameters) {
    const auto tree = open_tree(state, parameters);
    if (!tree) return std::unexpected(tree.error());
    const auto outlines = shared_of(state, parameters);
    if (!outlines) return std::unexpected(outlines.error());
    if (auto emptied = files::empty_directory(root); !emptied) return emptied;
    const auto copied = files::copy_tree(tree->get(), root, {.outlines = {outlines->begin(), outlines->end()}});
    // The marker that says "prepared" is synced by itself, thousands of files before it are not: after a power failure
    // it must not vouch for empty ones.
    auto done = copied ? files::sync_filesystem(root) : std::unexpected(copied.error());
    // What it takes up can be what is missing elsewhere.
    if (!done) static_cast<void>(files::empty_directory(root));
    return done;
}

Result<void> restore_mount_points(int root, const fs::path& state, const RootParameters& parameters,
                                  std::span<const std::string_view> others) {
    auto places = shared_of(state, parameters);
    if (!places) return std::unexpected(places.error());
    places->insert(places->end(), others.begin(), others.end());
    for (const auto& place : *places) {
        UniqueFd parent(::fcntl(root, F_DUPFD_CLOEXEC, 0));
        if (!parent) return std::unexpected(Error::from_errno("fcntl", errno));
        for (const auto& name : fs::path(place)) {
            auto made = place::directory(parent.get(), name, 0755);
            if (!made) return std::unexpected(made.error());
            parent = *std::move(made);
        }
    }
    return {};
}

Result<std::vector<Mount>> mounts(const fs::path& state, const RootParameters& parameters) {
    const auto places = shared_of(state, parameters);
    if (!places) return std::unexpected(places.error());
    std::vector<Mount> wanted;
    for (const auto& place : *places)
        wanted.push_back(
            {.source = tree_of(state, parameters.base->id) / place, .target = "root/" + place, .read_only = true});
    return wanted;
}

}  // namespace jaild::kernel::template_root
