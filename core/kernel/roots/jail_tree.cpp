#include "core/kernel/roots/jail_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/base/files.h"
#include "core/kernel/roots/hosts_file.h"
#include "core/kernel/roots/jail_directories.h"
#include "core/kernel/roots/path_root.h"
#include "core/kernel/roots/place.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::kernel::jail_tree {
namespace {

namespace fs = std::filesystem;

Error not_made() {
    return Error{.code = Errc::conflict,
                 .op = "copy_jail",
                 .detail = "the jail has no root of its own yet: it is made when the jail starts first",
                 .reason = "root_not_made",
                 .field = "/jail",
                 .remedy = "start the jail once, and stop it"};
}

/// The totals of several copies as one.
class Sum {
public:
    explicit Sum(const GoOn& go_on) : go_on_(go_on) {}

    Result<void> copy(int source, int target, std::set<std::string> outlines) {
        const auto copied = files::copy_tree(source, target, {.outlines = std::move(outlines), .go_on = watch()});
        if (!copied) return std::unexpected(copied.error());
        before_ = with(*copied);
        return {};
    }
    [[nodiscard]] const files::CopyTotals& totals() const { return before_; }

private:
    [[nodiscard]] GoOn watch() const {
        if (!go_on_) return {};
        return [this](const files::CopyTotals& now) { return go_on_(with(now)); };
    }
    [[nodiscard]] files::CopyTotals with(const files::CopyTotals& more) const {
        auto sum = before_;
        sum.entries += more.entries;
        sum.bytes += more.bytes;
        sum.left_out += more.left_out;
        sum.first_left_out.insert(sum.first_left_out.end(), more.first_left_out.begin(), more.first_left_out.end());
        return sum;
    }

    const GoOn& go_on_;
    files::CopyTotals before_{};
};

Result<UniqueFd> open_root(const fs::path& state, const Source& source) {
    if (source.root.kind == model::RootKind::path) {
        if (auto apart = check_path_root(source.root.path, state, {}); !apart) return std::unexpected(apart.error());
        auto root = files::open_directory(source.root.path);
        if (!root) return root;
        if (auto apart = check_open_root(root->get(), state); !apart) return std::unexpected(apart.error());
        return root;
    }
    const JailDirectories jails(state);
    const auto prepared = jails.prepared(source.id);
    if (!prepared) return std::unexpected(prepared.error());
    if (!*prepared) return std::unexpected(not_made());
    auto root = files::open_directory(jails.path(source.id) / "root");
    if (!root) return root;
    const auto empty = files::is_empty(root->get());
    if (!empty) return std::unexpected(empty.error());
    if (*empty) return std::unexpected(not_made());  // its file system is not mounted
    return root;
}

/// The directory `path` of the tree, made where it is missing.
Result<UniqueFd> open_place(int tree, const fs::path& path) {
    UniqueFd directory(::fcntl(tree, F_DUPFD_CLOEXEC, 0));
    if (!directory) return std::unexpected(Error::from_errno("fcntl", errno));
    for (const auto& name : path) {
        auto inner = place::directory(directory.get(), name, 0755);
        if (!inner) return inner;
        directory = *std::move(inner);
    }
    return directory;
}

/// File flags that the old one may have would be in the way.
Result<void> replace(int directory, const char* name, std::string_view content, unsigned mode) {
    if (auto gone = files::remove_tree(directory, name); !gone) return gone;
    return place::file(directory, name, content, mode);
}

/// Missing, or a link that leads elsewhere: nothing of jaild's.
Result<void> unless_absent(const Error& error) {
    const bool absent = error.code == Errc::not_found || error.code == Errc::invalid;
    return absent ? Result<void>{} : std::unexpected(error);
}

}  // namespace

Result<files::CopyTotals> copy(const fs::path& state, const Source& source, int target, const GoOn& go_on) {
    const auto root = open_root(state, source);
    if (!root) return std::unexpected(root.error());
    Sum sum(go_on);
    if (source.root.kind != model::RootKind::thin || !source.base) {
        if (auto copied = sum.copy(root->get(), target, {}); !copied) return std::unexpected(copied.error());
        return sum.totals();
    }
    const auto base = files::open_directory(template_root::tree_of(state, source.base->id));
    if (!base) return std::unexpected(base.error());
    const auto shared = template_root::shared(base->get(), source.base->private_parts);
    if (!shared) return std::unexpected(shared.error());
    if (auto copied = sum.copy(root->get(), target, {shared->begin(), shared->end()}); !copied)
        return std::unexpected(copied.error());
    for (const auto& part : *shared) {
        const auto from = files::open_beneath(base->get(), part, O_RDONLY | O_DIRECTORY);
        if (!from) return std::unexpected(from.error());
        const auto to = open_place(target, part);
        if (!to) return std::unexpected(to.error());
        if (auto copied = sum.copy(from->get(), to->get(), {}); !copied) return std::unexpected(copied.error());
    }
    return sum.totals();
}

Result<void> forget_identity(int tree) {
    const auto etc = files::open_beneath(tree, "etc", O_RDONLY | O_DIRECTORY);
    if (!etc) return unless_absent(etc.error());
    for (const char* name : {"hostname", "resolv.conf", "hostid"})
        if (auto gone = files::remove_tree(etc->get(), name); !gone) return gone;
    struct stat seen {};
    if (::fstatat(etc->get(), "machine-id", &seen, AT_SYMLINK_NOFOLLOW) == 0)
        if (auto emptied = replace(etc->get(), "machine-id", "", 0444); !emptied) return emptied;
    const auto hosts = files::read(etc->get(), "hosts", hosts_file::kLimit);
    if (!hosts && hosts.error().code != Errc::exhausted) return unless_absent(hosts.error());
    return replace(etc->get(), "hosts", hosts_file::merged(hosts.value_or(""), {}), 0644);
}

}  // namespace jaild::kernel::jail_tree
