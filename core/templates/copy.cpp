#include "core/templates/copy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/base/copy_tree.h"
#include "core/base/files.h"
#include "core/kernel/roots/path_root.h"

namespace jaild::templates {
namespace {

namespace fs = std::filesystem;

constexpr const char* kField = "/directory";

Error of_directory(Error error) {
    if (!error.field.empty()) error.field = kField;
    return error;
}

/// What waiting does not help with.
Error of_caller(Error error) {
    if (error.reason != "mount_beneath") return error;
    error.code = Errc::conflict;
    error.remedy = "unmount it, or mount the file system once more, elsewhere and alone";
    return error;
}

/// Watches a copy: shows how far it is, and ends one that was cancelled or grows beyond its limits.
class Watched {
public:
    Watched(std::string item, Job& job, const Options& options)
        : item_(std::move(item)), job_(job), options_(options) {}

    bool go_on(const files::CopyTotals& now) {
        job_.show({.phase = "copying", .item = item_, .done = now.bytes, .bytes = now.bytes, .entries = now.entries});
        return !job_.interrupted() && fits(now);
    }

    /// What came of it.
    Result<model::Template> end(const Result<files::CopyTotals>& copied) {
        if (copied) static_cast<void>(fits(*copied));
        if (too_large_)
            return refused("template_too_large", fmt::format("more than {} bytes come of it", options_.max_bytes),
                           "jaild.toml(5): template_max_bytes");
        if (too_many_)
            return refused("too_many_entries", fmt::format("more than {} entries", options_.max_entries),
                           "jaild.toml(5): template_max_entries");
        if (!copied && job_.interrupted()) return std::unexpected(interrupted_error());
        if (!copied) return std::unexpected(of_caller(copied.error()));
        if (copied->left_out > 0)
            job_.add_step(fmt::format("not kept: {} sockets and devices: {}{}", copied->left_out,
                                      fmt::join(copied->first_left_out, ", "),
                                      copied->left_out > copied->first_left_out.size() ? ", ..." : ""));
        job_.add_step(fmt::format("copied {}: {} entries, {} bytes", item_, copied->entries, copied->bytes));
        auto value = job_.subject();
        value.bytes = copied->bytes;
        value.entries = copied->entries;
        return value;
    }

private:
    bool fits(const files::CopyTotals& now) {
        too_large_ = now.bytes > options_.max_bytes;
        too_many_ = now.entries > options_.max_entries;
        return !too_large_ && !too_many_;
    }
    static std::unexpected<Error> refused(std::string_view reason, std::string detail, const char* remedy) {
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "copy",
                                     .detail = std::move(detail),
                                     .reason = reason,
                                     .field = {},
                                     .remedy = remedy});
    }

    std::string item_;
    Job& job_;
    const Options& options_;
    bool too_large_ = false;
    bool too_many_ = false;
};

}  // namespace

Result<void> check_directory(const fs::path& directory, const Options& options) {
    struct stat seen {};
    if (::stat(directory.c_str(), &seen) != 0) {
        const bool missing = errno == ENOENT || errno == ENOTDIR;
        auto error = Error::from_errno("stat", errno, directory);
        if (missing) error.reason = "file_not_found";
        if (missing) error.code = Errc::invalid;
        error.field = kField;
        return std::unexpected(std::move(error));
    }
    if (!S_ISDIR(seen.st_mode))
        return std::unexpected(Error::invalid("not_a_directory", kField, directory.string() + " is no directory"));
    if (auto apart = kernel::check_apart(directory, options.state); !apart)
        return std::unexpected(of_directory(apart.error()));
    return {};
}

Result<void> check_jail(const model::Jail& jail) {
    if (jail.spec.root.kind == model::RootKind::path || jail.spec.template_name != "host") return {};
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "copy",
              .detail = fmt::format("the programs of jail \"{}\" are the host's own: its tree is none without them",
                                    jail.name.text()),
              .reason = "host_template_jail",
              .field = "/jail",
              .remedy = "name a jail that is made from an imported template"});
}

Result<model::Template> copy_directory(const fs::path& directory, int root, Job& job, const Options& options) {
    // What the path leads to may be another directory by now.
    if (auto checked = check_directory(directory, options); !checked) return std::unexpected(checked.error());
    const auto source = files::open_directory(directory);
    if (!source) return std::unexpected(source.error());
    if (auto apart = kernel::check_open_root(source->get(), options.state); !apart)
        return std::unexpected(of_directory(apart.error()));
    Watched watched(directory, job, options);
    return watched.end(files::copy_tree(source->get(), root,
                                        {.go_on = [&](const files::CopyTotals& now) { return watched.go_on(now); }}));
}

Result<model::Template> copy_jail(const model::Jail& jail, const kernel::jail_tree::Source& source,
                                  const std::function<bool()>& same, int root, Job& job, const Options& options) {
    Watched watched(jail.name.text(), job, options);
    auto made = watched.end(kernel::jail_tree::copy(
        source, root, [&](const files::CopyTotals& now) { return watched.go_on(now) && same(); }));
    // In a directory of the user's nothing was ever written.
    if (!made || jail.spec.root.kind == model::RootKind::path) return made;
    if (auto forgotten = kernel::jail_tree::forget_identity(root); !forgotten)
        return std::unexpected(forgotten.error());
    return made;
}

Result<model::Template> copy_template(const std::string& reference, int source, int root, Job& job,
                                      const Options& options) {
    Watched watched(reference, job, options);
    return watched.end(
        files::copy_tree(source, root, {.go_on = [&](const files::CopyTotals& now) { return watched.go_on(now); }}));
}

}  // namespace jaild::templates
