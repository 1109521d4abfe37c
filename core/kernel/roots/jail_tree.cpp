#include "core/kernel/roots/jail_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/base/files.h"
#include "core/kernel/roots/hosts_file.h"
#include "core/kernel/roots/path_root.h"
#include "core/kernel/roots/place.h"
#include "core/kernel/roots/template_root.h"

namespace jaild::kernel::jail_tree {
namespace {

namespace fs = std::filesystem;

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

Result<files::CopyTotals> copy(const Source& source, int target, const GoOn& go_on) {
    Sum sum(go_on);
    std::vector<std::string> parts;
    if (source.base >= 0) {
        auto shared = template_root::shared(source.base, source.private_parts);
        if (!shared) return std::unexpected(shared.error());
        parts = *std::move(shared);
    }
    if (auto copied = sum.copy(source.root, target, {parts.begin(), parts.end()}); !copied)
        return std::unexpected(copied.error());
    for (const auto& part : parts) {
        const auto from = files::open_beneath(source.base, part, O_RDONLY | O_DIRECTORY);
        if (!from) return std::unexpected(from.error());
        const auto to = open_place(target, part);
        if (!to) return std::unexpected(to.error());
        if (auto copied = sum.copy(from->get(), to->get(), {}); !copied) return std::unexpected(copied.error());
    }
    return sum.totals();
}

Result<UniqueFd> open_path_root(const fs::path& path, const fs::path& state) {
    if (auto apart = check_path_root(path, state, {}); !apart) return std::unexpected(apart.error());
    auto root = files::open_directory(path);
    if (!root) return root;
    // What the path leads to may be another directory by now.
    if (auto apart = check_open_root(root->get(), state); !apart) return std::unexpected(apart.error());
    return root;
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
