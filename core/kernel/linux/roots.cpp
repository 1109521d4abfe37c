#include "core/kernel/linux/roots.h"

#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>

#include "core/base/files.h"
#include "core/kernel/linux/etc_files.h"
#include "core/kernel/linux/host_template.h"
#include "core/kernel/linux/path_root.h"
#include "core/kernel/linux/place.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "prepared";
/// A directory on its way out has this name: a crash while it is deleted leaves nothing that looks like a jail's root.
constexpr std::string_view kTombstone = ".removing";
constexpr std::size_t kResolvConfLimit = 1 << 16;

std::string tombstone(JailId id) {
    return std::to_string(id.value) + std::string(kTombstone);
}

std::optional<JailId> parse_directory(std::string_view name) {
    if (name.ends_with(kTombstone)) name.remove_suffix(kTombstone.size());
    JailId id;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), id.value);
    if (failed != std::errc{} || end != name.data() + name.size() || id.value <= 0) return std::nullopt;
    return id;
}

/// The host's own that a jail can reach. systemd-resolved(8) shows programs only itself, on loopback; the servers
/// behind it stand in a file of its own.
std::vector<IpAddress> host_nameservers() {
    for (const char* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
        const auto text = files::read(path, kResolvConfLimit);
        if (!text) continue;
        auto found = etc::reachable_nameservers(*text);
        if (!found.empty()) return found;
    }
    return {};
}

}  // namespace

Result<std::vector<JailId>> LinuxRoots::list() {
    std::set<JailId> ids;
    std::error_code failed;
    for (fs::directory_iterator at(layout_.jails(), failed), end; !failed && at != end; at.increment(failed)) {
        if (const auto id = parse_directory(at->path().filename().native())) ids.insert(*id);
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return std::unexpected(Error::from_errno("readdir", failed.value(), layout_.jails()));
    return std::vector<JailId>(ids.begin(), ids.end());
}

Result<bool> LinuxRoots::prepared(JailId id) {
    std::error_code failed;
    return fs::exists(layout_.jail(id) / kMarker, failed);
}

Result<void> LinuxRoots::check(const model::RootSpec& root, const std::string& template_name) {
    if (root.kind == model::RootKind::path) return check_path_root(root.path, layout_.state);
    if (template_name == "host") return {};
    return std::unexpected(Error::invalid("template_unknown", "/template", "there is no template " + template_name));
}

Result<void> LinuxRoots::prepare(const RootParameters& parameters) {
    if (auto checked = check(parameters.root, parameters.template_name); !checked) return checked;
    const auto state = files::open_directory(layout_.state);
    if (!state) return std::unexpected(state.error());
    const auto jail =
        files::make_directories(state->get(), fs::relative(layout_.jail(parameters.id), layout_.state), 0700);
    if (!jail) return std::unexpected(jail.error());
    if (parameters.root.kind == model::RootKind::path) {
        const auto root = place::directory(jail->get(), "root", 0700);  // only a mount point
        if (!root) return std::unexpected(root.error());
    } else if (auto made = host_template::make(jail->get()); !made) {
        return made;
    }
    return files::write_atomic(jail->get(), kMarker, "1\n", 0600);
}

Result<void> LinuxRoots::refresh(const RootParameters& parameters) {
    if (parameters.root.kind == model::RootKind::path) return {};
    if (auto checked = etc::check(parameters); !checked) return checked;
    if (auto refreshed = shared_.refresh(); !refreshed) return refreshed;
    const auto jail = files::open_directory(layout_.jail(parameters.id));
    if (!jail) return std::unexpected(jail.error());
    const auto root = host_template::restore_mount_points(jail->get());
    if (!root) return std::unexpected(root.error());
    const auto etc = place::directory(root->get(), "etc", 0755);
    if (!etc) return std::unexpected(etc.error());

    const auto servers = parameters.nameservers.empty() ? host_nameservers() : parameters.nameservers;
    auto done = place::file(etc->get(), "hosts", etc::hosts(parameters), 0644);
    if (done) done = place::file(etc->get(), "hostname", etc::hostname(parameters), 0644);
    if (done) done = place::file(etc->get(), "resolv.conf", etc::resolv_conf(servers, parameters.search), 0644);
    return done;
}

Result<std::vector<Mount>> LinuxRoots::mounts(const RootParameters& parameters) {
    if (parameters.root.kind != model::RootKind::path) return host_template::mounts(layout_, parameters.id);
    Mount root;
    root.source = canonical_path_root(parameters.root.path);
    root.target = "root";
    return std::vector<Mount>{root};
}

Result<void> LinuxRoots::remove(JailId id) {
    const auto mounted = mounts_.list(id);
    if (!mounted) return std::unexpected(mounted.error());
    if (!mounted->empty())
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "remove",
                                     .detail = mounted->back().target + " is still mounted; nothing was deleted",
                                     .reason = "still_mounted"});
    const auto jails = files::open_directory(layout_.jails());
    if (!jails) return jails.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jails.error());
    // One that an earlier attempt left behind; then this one takes its name.
    if (auto removed = files::remove_tree(jails->get(), tombstone(id)); !removed) return removed;
    if (::renameat(jails->get(), std::to_string(id.value).c_str(), jails->get(), tombstone(id).c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("renameat", errno));
    return files::remove_tree(jails->get(), tombstone(id));
}

}  // namespace jaild::kernel
