#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "core/base/files.h"
#include "core/base/tree_walk.h"

namespace jaild::files {
namespace {

/// How often the whole tree is emptied again when somebody goes on filling it.
constexpr int kFillings = 16;

/// unlinkat(2), once more without the entry's file flags when the first try was refused. ENOENT is success.
Result<void> unlink(int directory, const std::string& name, int flags) {
    if (::unlinkat(directory, name.c_str(), flags) == 0 || errno == ENOENT) return {};
    const int saved = errno;
    if (saved == EPERM || saved == EACCES) {
        const auto cleared = clear_flags(directory, name);
        if (cleared && *cleared && (::unlinkat(directory, name.c_str(), flags) == 0 || errno == ENOENT)) return {};
    }
    return std::unexpected(Error::from_errno("unlinkat", saved, name));
}

/// The look through the whole tree: the walk itself finds what is mounted there.
class LookThrough : public TreeVisitor {
public:
    [[nodiscard]] std::string_view op() const override { return "remove_tree"; }
    Result<Next> entry(int, const std::string&) override { return Next::on; }
};

class Remover : public TreeVisitor {
public:
    explicit Remover(std::uint64_t mount) : walk_(*this, mount) {}
    Result<void> run(int directory, const std::string& name) { return walk_.run(directory, name); }

    [[nodiscard]] std::string_view op() const override { return "remove_tree"; }
    [[nodiscard]] bool removes() const override { return true; }
    Result<Next> entry(int directory, const std::string& name) override;
    Result<Next> replaced(int, const std::string&) override { return Next::again; }
    Result<Next> left(int parent, const std::string& name) override;

private:
    Result<void> remove(int directory, const std::string& name, int flags);

    TreeWalk walk_;
};

/// As unlink(), within the tree, where the directory itself can be what is immutable.
Result<void> Remover::remove(int directory, const std::string& name, int flags) {
    auto removed = unlink(directory, name, flags);
    if (!removed && (removed.error().sys == EPERM || removed.error().sys == EACCES)) {
        const auto cleared = clear_flags(directory, ".");
        if (cleared && *cleared) removed = unlink(directory, name, flags);
    }
    if (!removed && removed.error().sys == EBUSY) return std::unexpected(walk_.mounted(name));
    return removed;
}

Result<TreeVisitor::Next> Remover::entry(int directory, const std::string& name) {
    auto removed = remove(directory, name, 0);
    if (removed) return Next::on;
    if (removed.error().sys == EISDIR || removed.error().sys == EPERM) {
        // Somebody put a directory in its place?
        const auto now = identify(directory, name);
        if (now && now->directory) return Next::again;
    }
    return std::unexpected(std::move(removed).error());
}

Result<TreeVisitor::Next> Remover::left(int parent, const std::string& name) {
    auto removed = remove(parent, name, AT_REMOVEDIR);
    if (removed) return Next::on;
    // Filled or replaced meanwhile.
    const int saved = removed.error().sys;
    if (saved == ENOTEMPTY || saved == EEXIST || saved == ENOTDIR) return Next::again;
    return std::unexpected(std::move(removed).error());
}

/// One that is in the directory; nothing for an empty one.
Result<std::optional<std::string>> some_entry(int directory) {
    UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return std::unexpected(Error::from_errno("openat", errno));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
    if (!stream) return std::unexpected(Error::from_errno("fdopendir", errno));
    static_cast<void>(own.release());
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (!entry && errno != 0) return std::unexpected(Error::from_errno("readdir", errno));
        if (!entry) return std::nullopt;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") return std::string(name);
    }
}

}  // namespace

Result<void> remove_tree(int directory, const std::string& name) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
        return std::unexpected(
            Error::invalid("invalid_path", "", "\"" + name + "\" is not a name within its directory"));
    const auto home = identify(directory, "");
    if (!home) return std::unexpected(home.error());
    for (int attempt = 0; attempt < kFillings; ++attempt) {
        const auto root = identify(directory, name);
        if (!root && root.error().sys == ENOENT) return {};
        if (!root) return std::unexpected(root.error());
        if (root->mount != home->mount)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "remove_tree",
                                         .sys = EBUSY,
                                         .detail = "something is mounted on " + name,
                                         .reason = "mount_beneath",
                                         .remedy = "unmount it"});
        if (!root->directory) return unlink(directory, name, 0);
        LookThrough look;
        if (auto looked = TreeWalk(look, home->mount).run(directory, name); !looked) return looked;
        if (auto emptied = Remover(home->mount).run(directory, name); !emptied) return emptied;
        auto removed = unlink(directory, name, AT_REMOVEDIR);
        if (removed || (removed.error().sys != ENOTEMPTY && removed.error().sys != EEXIST)) return removed;
    }
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "remove_tree",
                                 .detail = "somebody goes on filling " + name + " while it is removed",
                                 .reason = "tree_changing"});
}

Result<void> empty_directory(int directory) {
    for (;;) {
        const auto entry = some_entry(directory);
        if (!entry) return std::unexpected(entry.error());
        if (!*entry) return {};
        if (auto removed = remove_tree(directory, **entry); !removed) return removed;
    }
}

Result<bool> is_empty(int directory) {
    const auto entry = some_entry(directory);
    if (!entry) return std::unexpected(entry.error());
    return !*entry;
}

}  // namespace jaild::files
