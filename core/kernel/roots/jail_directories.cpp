#include "core/kernel/roots/jail_directories.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/roots/numbered.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "prepared";
/// A directory on its way out has this name: a crash while it is deleted leaves nothing that looks like a jail's root.
constexpr std::string_view kTombstone = ".removing";

std::string tombstone(JailId id) {
    return std::to_string(id.value) + std::string(kTombstone);
}

}  // namespace

Result<std::vector<JailId>> JailDirectories::list() const {
    return numbered<JailId>(all(), {kTombstone});
}

Result<bool> JailDirectories::prepared(JailId id) const {
    const fs::path marker = path(id) / kMarker;
    std::error_code failed;
    const bool there = fs::exists(marker, failed);
    if (failed) return std::unexpected(Error::from_errno("stat", failed.value(), marker));
    return there;
}

Result<UniqueFd> JailDirectories::make(JailId id) const {
    const auto state = files::open_directory(state_);
    if (!state) return std::unexpected(state.error());
    return files::make_directories(state->get(), fs::relative(path(id), state_), 0700);
}

Result<void> JailDirectories::mark_prepared(int jail) const {
    return files::write_atomic(jail, kMarker, "1\n", 0600);
}

void JailDirectories::clear_temporaries() const {
    std::error_code failed;
    for (fs::directory_iterator jail(all(), failed), end; !failed && jail != end; jail.increment(failed)) {
        std::error_code gone;
        for (fs::directory_iterator at(jail->path(), gone); !gone && at != end; at.increment(gone)) {
            const auto name = at->path().filename().string();
            if (name.starts_with(".jaild-") && name.ends_with(".tmp")) ::unlink(at->path().c_str());
        }
    }
}

Result<void> JailDirectories::check_unmounted(JailId id, Mounts& mounts) const {
    const auto mounted = mounts.list(id);
    if (!mounted) return std::unexpected(mounted.error());
    if (mounted->empty()) return {};
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "remove",
                                 .detail = mounted->back().target + " is still mounted; nothing was deleted",
                                 .reason = "still_mounted"});
}

Result<void> JailDirectories::remove(JailId id, Mounts& mounts) const {
    if (auto down = check_unmounted(id, mounts); !down) return down;
    const auto jails = files::open_directory(all());
    if (!jails) return jails.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jails.error());
    // One that an earlier attempt left behind; then this one takes its name.
    if (auto removed = files::remove_tree(jails->get(), tombstone(id)); !removed) return removed;
    if (::renameat(jails->get(), std::to_string(id.value).c_str(), jails->get(), tombstone(id).c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("renameat", errno));
    return files::remove_tree(jails->get(), tombstone(id));
}

}  // namespace jaild::kernel
