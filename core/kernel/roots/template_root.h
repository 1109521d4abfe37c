#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/roots.h"

/// Roots that are made from an imported template, on every system: `thin` shares the template's programs by read-only
/// mounts of `<state>/templates/<id>/root` and has a copy of everything else, `copy` has a copy of all. Blocking.
namespace jaild::kernel::template_root {

/// `<state>/templates/<id>/root`.
std::filesystem::path tree_of(const std::filesystem::path& state, TemplateId id);

enum class Clones { possible, impossible };

/// What Roots::check says of all kinds but `path`.
Result<void> check(const model::RootSpec& root, const std::string& template_name, Clones clones);

/// The directories of a template's open tree that thin roots share, relative to it, in order. Known as shareable are
/// /bin, /sbin, /lib and its like, /libexec, /rescue, /boot, and what is in /usr but /usr/local, /usr/home, /usr/obj
/// and /usr/ports. `private_parts` ("/usr/lib/site") are not, and what they lie in is shared piece by piece, unless it
/// has too many of them. The tree never changes, so the answer does not either.
Result<std::vector<std::string>> shared(int tree, const std::vector<std::string>& private_parts);

/// Makes the open directory `root`, which nobody uses yet, a root: whatever is in it goes first. It is on disk when
/// this returns. With an error it is empty again, as far as that is possible.
Result<void> make(int root, const std::filesystem::path& state, const RootParameters& parameters);

/// Makes whole what a mount stands on, whatever the jail did to it: the shared directories and `others` ("dev").
Result<void> restore_mount_points(int root, const std::filesystem::path& state, const RootParameters& parameters,
                                  std::span<const std::string_view> others);

/// Beneath "root", all read-only and in order; none for a copy.
Result<std::vector<Mount>> mounts(const std::filesystem::path& state, const RootParameters& parameters);

}  // namespace jaild::kernel::template_root
